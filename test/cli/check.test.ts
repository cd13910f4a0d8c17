// `duramen check`: the report, its exit codes, and the repair, with the real command in a process of its own.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileJournal } from '../../src/journal/index.ts'
import { add, must } from '../../src/testing/journal/case.ts'
import { duramen, folder } from './command.ts'

/** A journal of 40 records of three instances; `damaged`: a byte of the tenth is another one. */
async function journalIn(dir: string, damaged: boolean): Promise<void> {
  const journal = await fileJournal(dir)
  for (let number = 1; number <= 40; number++) {
    await add(journal, `order/${number % 3}`, Math.floor((number - 1) / 3), `text ${number}`)
  }
  await must(journal.close())
  if (!damaged) return
  const file = join(dir, '0000000000000001.log')
  const bytes = await readFile(file)
  bytes[bytes.indexOf('text 10')]! ^= 1
  await writeFile(file, bytes)
}

it('a sound journal: what it holds, and 0', async () => {
  const dir = await folder()
  await journalIn(dir, false)
  const { code, stdout, stderr } = await duramen('check', dir)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/: 1 segment, 1\.\d kB, 40 records of 3 streams\n/)
  expect(stdout).toMatch(/\nSound: nothing is damaged\.\n$/)
})

it('a damaged journal: a line for the place, what it cost, the next step, and 1; nothing is changed', async () => {
  const dir = await folder()
  await journalIn(dir, true)
  const before = await readFile(join(dir, '0000000000000001.log'))
  const { code, stdout, stderr } = await duramen('check', dir)
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(stdout).toMatch(
    /\nDAMAGED 0000000000000001\.log at byte \d+, 38 bytes: a frame is not as it was written \(position 10\)\n/,
  )
  expect(stdout).toContain('\n1 stream has lost records:\n  order/1 from record 4 on\n')
  expect(stdout).toContain(`duramen check ${JSON.stringify(dir)} --repair quarantine`)
  expect((await readFile(join(dir, '0000000000000001.log'))).equals(before)).toBe(true)
})

it('--json prints the report for programs', async () => {
  const dir = await folder()
  await journalIn(dir, true)
  const { code, stdout } = await duramen('check', dir, '--json')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ sound: false, damages: [{ kind: 'frame', from: 10, to: 10 }] })
})

it('--repair without a terminal says what it would give up, and changes nothing; with --yes it is done', async () => {
  const dir = await folder()
  await journalIn(dir, true)
  const before = await readFile(join(dir, '0000000000000001.log'))
  const asked = await duramen('check', dir, '--repair', 'quarantine')
  expect(asked.code).toBe(1)
  expect(asked.stdout).toMatch(/gives up what is damaged and 10 whole records .* 418 B are put aside\./)
  expect(asked.stdout).toContain('Nothing was changed.')
  expect((await readFile(join(dir, '0000000000000001.log'))).equals(before)).toBe(true)

  const done = await duramen('check', dir, '--repair', 'quarantine', '--yes')
  expect(done.code).toBe(0)
  expect(done.stdout).toContain('Repaired.')
  const kept = (await readdir(dir)).filter((name) => name.startsWith('quarantine-'))
  expect(kept).toHaveLength(1)
  expect(await readdir(join(dir, kept[0]!))).toContain('manifest.json')
  expect((await duramen('check', dir)).code).toBe(0)
})

it('--repair cut, as JSON', async () => {
  const dir = await folder()
  await journalIn(dir, true)
  const { code, stdout } = await duramen('check', dir, '--repair', 'cut', '--yes', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ repaired: true, records: 30 })
  expect((await duramen('check', dir)).stdout).toContain('9 records of 3 streams')
})

it('the message of a journal that is refused names the command', async () => {
  const dir = await folder()
  await journalIn(dir, true)
  await rm(join(dir, 'index'), { recursive: true, force: true })
  await expect(fileJournal(dir)).rejects.toMatchObject({
    hint: expect.stringContaining(`duramen check ${JSON.stringify(dir)}`),
  })
})

it.each([[['check', 'a', 'b']], [['check', '--repair', 'nonsense']]])(
  '%j is refused with the usage and 2',
  async (args) => {
    expect((await duramen(...args)).code).toBe(2)
  },
)

it('a folder that is not there, and one that another process writes to', async () => {
  const dir = await folder()
  expect(await duramen('check', join(dir, 'none'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^duramen: .*\n {2}\S/),
  })
  const journal = await fileJournal(dir)
  await add(journal, 'order/1', 0, 'text')
  expect(await duramen('check', dir)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Process ${process.pid} on`),
  })
  await must(journal.close())
})

it('a folder without a journal is not called sound', async () => {
  const dir = await folder()
  await writeFile(join(dir, 'notes.txt'), 'no journal')
  for (const args of [
    ['check', dir],
    ['backup', dir, join(await folder(), 'to')],
  ]) {
    const { code, stdout, stderr } = await duramen(...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^duramen: There is no journal in .*\n {2}\S.*\n$/)
  }
})
