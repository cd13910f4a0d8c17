// A port's answer, looked at: an adapter may be somebody's own, in JavaScript, and answer anything.
import { types } from 'node:util'
import { type Either, isLeft, left } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { DuramenError } from './errors.ts'

/** What a call of a port comes to. For what is no answer of a port: BAD_OPTION, which names the call and says what is one. */
export async function answerOf<A>(call: string, task: TaskEither<DuramenError, A>): Promise<Either<DuramenError, A>> {
  return eitherOf(call, await begun(call, task))
}

/** The first half of it, for who counts turns of the event loop. */
export function begun<A>(call: string, task: TaskEither<DuramenError, A>): Promise<Either<DuramenError, A>> {
  const given: unknown = task
  if (typeof given === 'function') return Promise.resolve(task())
  // it was not meant to be left alone, and what is wrong with it is told here
  if (types.isPromise(given)) given.catch(() => {})
  return Promise.resolve(left(noAnswer(call, `${kindOf(given)} and no function`)))
}

/** The second half. */
export function eitherOf<A>(call: string, answer: Either<DuramenError, A> | undefined): Either<DuramenError, A> {
  if (answer?._tag === 'Left' || answer?._tag === 'Right') return answer
  return left(noAnswer(call, `a function of ${kindOf(answer)} and of no Either`))
}

/** The same, with its error thrown. */
export async function must<A>(call: string, task: TaskEither<DuramenError, A>): Promise<A> {
  const answer = await answerOf(call, task)
  if (isLeft(answer)) throw answer.left
  return answer.right
}

/** Never shown itself: it may be a connection with its password. */
const kindOf = (value: unknown): string =>
  types.isPromise(value)
    ? 'a promise'
    : value === null
      ? 'null'
      : value === undefined
        ? 'undefined'
        : `a ${typeof value}`

const noAnswer = (call: string, what: string): DuramenError =>
  new DuramenError('BAD_OPTION', `${call} answers ${what}; a port answers a TaskEither`, {
    hint: "Have it answer () => Promise<{ _tag: 'Right', right } | { _tag: 'Left', left: a DuramenError }>; docs/MONGODB.md shows one.",
  })
