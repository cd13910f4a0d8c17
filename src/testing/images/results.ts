// Short ways to run a port's call in a test.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { answerOf, must } from '../../ports/answer.ts'
import type { DuramenError } from '../../ports/errors.ts'
import { dump } from '../../ports/thrown.ts'

/** Runs the call; throws its error. */
export async function done<A>(call: TaskEither<DuramenError, A>): Promise<A> {
  return must('the call', call)
}

/** Runs a call that must fail, for its error. */
export async function failed(call: TaskEither<DuramenError, unknown>): Promise<DuramenError> {
  const result = await answerOf('the call', call)
  if (result._tag === 'Left') return result.left
  throw new Error(`it was to fail, and has answered ${dump(result.right)}`)
}

/** All bytes of a stream. */
export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
