// K9: a history that would grow for ever is replaced by its end; what stands in the way of that is told, the end of its host is not.
import { left } from 'fp-ts/lib/TaskEither.js'
import { expect, it } from 'vitest'
import { DuramenError, type DuramenErrorCode, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { keepShort } from '../../src/machines/trimming.ts'
import { recording, settle } from '../support/host.ts'
import { counter } from '../support/machines.ts'

/** What is logged when a journal does not trim, for this reason. */
async function toldOf(code: DuramenErrorCode): Promise<readonly string[]> {
  const machine = counter()
  const log = recording()
  const journal = { ...memoryJournal(), trim: () => left(new DuramenError(code, 'not now')) }
  const host = await openHost({ journal, machines: [machine], logger: log })
  const actor = await host.actor(machine, 'a')
  const end = await keepShort(host, machine, actor, 3)
  for (let i = 0; i < 3; i++) await actor.send({ type: 'INC' })
  await settle()
  end()
  await host.close()
  return log.lines
}

it('K9 a history that can not be shortened is told of', async () => {
  expect(await toldOf('IO')).toEqual([expect.stringContaining('could not be shortened')])
})

it('K9 a host that is being closed shortens nothing, and says nothing of it', async () => {
  expect(await toldOf('CLOSED')).toEqual([])
})
