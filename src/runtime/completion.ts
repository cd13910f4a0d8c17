// The end of an effect that was handed over: an input like any other, from whoever has its token.
//
// K4: its event id follows from the token, so that a second use gets the first receipt.
import { instanceOf } from '../journal/records.ts'
import { encodeFor, encodeInternal } from './events.ts'
import { completionId, readToken, type Token, unknownToken } from './handover.ts'
import { NOTHING, type Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'

/** How it ended: as a promise does. */
export type Completion =
  | { type: 'xstate.promise.resolve'; data: unknown }
  | { type: 'xstate.promise.reject'; data: unknown }

/** Whose effect the token ends. Throws UNKNOWN_EFFECT when it is no token. */
export function placeOfToken(token: string): Token & { machine: string; instance: string } {
  const read = readToken(token)
  const place = instanceOf(read.stream)
  if (!place) throw unknownToken()
  return { ...read, ...place }
}

/** Rejects with UNKNOWN_EFFECT, PARKED, PAUSED, MACHINE_THREW, NOT_SERIALIZABLE, BINARY_TOO_LARGE, CLOSED, or as a journal does. */
export async function complete(
  instance: Instance,
  token: string,
  { key, secret }: Token,
  end: Completion,
): Promise<Receipt> {
  const id = completionId(token)
  // what it remembers is not in memory while it is at rest or being loaded
  if (instance.phase !== 'live') await instance.ask({ kind: 'mark', payload: NOTHING, keep: true })
  const known = instance.receiptOf(id)
  if (known) return { ...known, duplicate: true }
  if (instance.runner.secretOf(key) !== secret) throw unknownToken()
  const { where, host } = instance
  const { maxBinary } = host.limits
  const payload =
    end.type === 'xstate.promise.reject'
      ? encodeInternal(end, where, maxBinary)
      : encodeFor(end, where, { name: 'event', maxBinary }) // who has the output can still mend it
  const receipt = await instance.ask({ kind: 'event', target: key, id, payload })
  if (!receipt.handled && !receipt.duplicate) throw unknownToken() // its state was left meanwhile
  return receipt
}
