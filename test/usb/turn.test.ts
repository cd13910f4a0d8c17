import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isFree, takeTurn } from '../../src/adapters/usb/turn.ts'
import { refused } from '../support/host.ts'

test('D1 a device that is driven is refused with its holder, and a hint that is of use; it is free once that one has left', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-turn-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'lock')
  const { signal } = new AbortController()
  const held = await takeTurn(file, 'reader', { folder, whenLocked: 'refuse' }, signal)
  const refusal = await refused(takeTurn(file, 'reader', { folder, whenLocked: 'refuse' }, signal))
  expect(refusal).toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
  expect(refusal.hint).toContain("whenLocked: 'wait'")
  const waited = await refused(takeTurn(file, 'reader', { folder, whenLocked: 'wait' }, AbortSignal.abort()))
  expect(waited.hint).not.toContain('whenLocked')
  expect(await isFree(file)).toBe(false)
  await held.release()
  expect(await isFree(file)).toBe(true)
})

const root = process.platform === 'linux' && process.getuid?.() === 0

test.runIf(root)(
  'D1 a lock that a killed process of another user left behind: the hint names the file (needs root)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'duramen-turn-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await chmod(folder, 0o1777)
    const file = join(folder, 'lock')
    await writeFile(file, '{}', { mode: 0o600 })
    const taken = async () => {
      process.seteuid!(65534)
      return takeTurn(file, 'reader', { folder, whenLocked: 'refuse' }, new AbortController().signal).finally(() =>
        process.seteuid!(0),
      )
    }
    const refusal = await refused(taken())
    expect(refusal).toMatchObject({ code: 'NO_PERMISSION', where: { file } })
    expect(refusal.hint).toContain(`remove ${file}`)
    await rm(file)
    await (await taken()).release()
  },
)
