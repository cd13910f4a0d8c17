// host.backup: what was answered when it is called is in the copy, and a host that is opened on what is made again goes on.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openHost } from '../../src/index.ts'
import { fileJournal, memoryJournal, restoreJournal } from '../../src/journal/index.ts'
import { quiet } from '../support/host.ts'
import { counter } from '../support/machines.ts'

it('K7 a backup of a host that is open has every commit that was answered, and a host goes on from it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-backup-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const machine = counter()
  const host = await openHost({ journal: await fileJournal(join(folder, 'data')), machines: [machine], logger: quiet })
  const actor = await host.actor(machine, 'x')
  const { position } = await actor.send({ type: 'INC' })
  const backedUp = await host.backup(join(folder, 'backup'))
  expect(backedUp.position).toBeGreaterThanOrEqual(position)
  await actor.send({ type: 'INC' })
  await host.close()
  await expect(host.backup(join(folder, 'backup'))).rejects.toMatchObject({ code: 'CLOSED' })

  await restoreJournal(join(folder, 'backup'), join(folder, 'back'))
  const again = await openHost({ journal: await fileJournal(join(folder, 'back')), machines: [machine], logger: quiet })
  const restored = await again.actor(machine, 'x', { create: false })
  expect(restored.getSnapshot().context.n).toBe(1)
  await again.close()
})

it('is refused where the journal makes none', async () => {
  const host = await openHost({ journal: memoryJournal(), logger: quiet })
  await expect(host.backup('never-made')).rejects.toMatchObject({ code: 'NO_BACKUP', hint: expect.any(String) })
  await host.close()
})
