import { expect, test } from 'vitest'
import { outcomeIn, stopActor, taskActor } from '../../src/machines/startup/steps.ts'

test.each([
  [0, 1],
  [7, 12],
  [9999, 1],
])('whose end it is, is read from the id that its actor was given: task %i, attempt %i', (n, attempt) => {
  const output = { outcome: 'done', ms: 5, problem: null, final: false }
  const actor = taskActor(n, attempt)
  expect(outcomeIn({ actorId: actor, output })).toEqual({ actor, task: n, attempt, ran: output })
  const stop = stopActor(n)
  expect(outcomeIn({ actorId: stop, output: { outcome: 'stopped', ms: 5 } })).toEqual({
    actor: stop,
    task: n,
    stopped: { outcome: 'stopped', ms: 5, problem: null },
  })
})

test('an operator ends one, and it has failed, with what there is to know of it', () => {
  const error = { code: 'ABORTED', message: 'ann has ended it' }
  expect(outcomeIn({ actorId: taskActor(3, 2), error })).toMatchObject({
    task: 3,
    attempt: 2,
    ran: { outcome: 'failed', problem: error },
  })
  expect(outcomeIn({ actorId: 'another' })).toBeUndefined()
})
