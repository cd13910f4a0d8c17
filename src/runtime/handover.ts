// What running effects ask of the one who runs them: where they were, to be kept alive, to be ended from outside.
//
// K5: a token is on record before anybody outside can have it, and so is the handover before the attempt counts as ended.
//     Every attempt has the same token, so that whoever has one of them ends the effect.
import { createHash, randomBytes } from 'node:crypto'
import { decode, encode } from '../journal/codec.ts'
import type { Clock } from '../ports/clock.ts'
import { DuramenError } from '../ports/errors.ts'
import { assertFunction } from '../ports/given.ts'
import type { EffectFacts } from './effect-facts.ts'
import type { EffectWorld, RunningEffect } from './effects.ts'
import { kindOf, type Run } from './run.ts'
import type { Runs } from './runs.ts'

/** Within this time, ms, the details of a heartbeat are on record, if no commit comes first. */
const KEEP_BEAT_AFTER = 10_000

/** What the desk needs of the runner of an instance. */
interface DeskOwner {
  readonly stream: string
  readonly clock: Clock
  readonly maxBinary: number
  /** Makes a commit of what is unsaid, now. */
  mark(): void
  /** The same, and waits for it. */
  marked(): Promise<unknown>
}

/** The effects of one instance, as they see it. */
export class Desk implements EffectWorld {
  readonly scope: unknown
  private readonly owner: DeskOwner
  private readonly facts: EffectFacts
  private readonly runs: Runs
  private keeping: (() => void) | undefined

  constructor(owner: DeskOwner, scope: unknown, facts: EffectFacts, runs: Runs) {
    this.owner = owner
    this.scope = scope
    this.facts = facts
    this.runs = runs
  }

  private runOf(effect: RunningEffect): Run | undefined {
    const run = this.runs.get(effect.localKey)
    return run?.effect === effect && run.state === 'running' ? run : undefined
  }

  isCurrent(effect: RunningEffect): boolean {
    return this.runOf(effect) !== undefined
  }

  details({ localKey }: RunningEffect): unknown {
    const { beat } = this.facts.get(localKey)
    return beat === undefined
      ? undefined
      : decode({ format: beat[0] === 'j' ? 'json' : 'devalue', text: beat.slice(1) })
  }

  heartbeat(effect: RunningEffect, details: unknown): void {
    const run = this.runOf(effect)
    if (!run) return
    const { clock, maxBinary } = this.owner
    run.heardAt = clock.now()
    if (details === undefined) return
    const { format, text } = encode(details, { name: 'details', maxBinary })
    this.facts.change(effect.localKey, { beat: `${format === 'json' ? 'j' : 'd'}${text}` })
    this.keeping ??= clock.after(KEEP_BEAT_AFTER, () => {
      this.keeping = undefined
      if (this.facts.waiting) this.owner.mark()
    })
  }

  close(): void {
    this.keeping?.()
  }

  async handOver(effect: RunningEffect, fn: (token: string) => unknown): Promise<never> {
    const { localKey: key } = effect
    const run = this.runOf(effect)
    if (!run) throw ended(effect)
    if (kindOf(run.item) !== 'promise') throw noPromise(effect)
    assertFunction('handOver', fn, 'Give one that passes the token on: handOver((token) => mail(to, token)).')
    if (this.facts.get(key).token === undefined)
      this.facts.change(key, { token: randomBytes(18).toString('base64url') })
    const { token } = this.facts.get(key)
    await this.owner.marked()
    if (!this.isCurrent(effect)) throw ended(effect)
    await fn(tokenOf({ stream: this.owner.stream, key, secret: token! }))
    if (this.isCurrent(effect)) {
      this.facts.change(key, { outside: true })
      this.runs.drop(key, 'completed', 'quietly')
      this.owner.mark()
    }
    return new Promise<never>(() => {}) // its end comes from outside
  }
}

/** Whose token it is. */
export interface Token {
  readonly stream: string
  /** Of the effect, within its instance. */
  readonly key: string
  readonly secret: string
}

const tokenOf = ({ stream, key, secret }: Token): string =>
  Buffer.from(JSON.stringify([stream, key, secret])).toString('base64url')

/** What a token says. Throws UNKNOWN_EFFECT when it is none. */
export function readToken(token: string): Token {
  try {
    const [stream, key, secret] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[]
    if (typeof stream === 'string' && typeof key === 'string' && typeof secret === 'string')
      return { stream, key, secret }
  } catch {}
  throw unknownToken()
}

/** The event id of a completion: the same for every use of the token (K4), and of no use to who reads it. */
export const completionId = (token: string): string =>
  `complete:${createHash('sha256').update(token).digest('base64url')}`

export const unknownToken = () =>
  new DuramenError('UNKNOWN_EFFECT', 'there is no effect that waits to be ended by this token', {
    hint: 'It has ended long ago, its state was left, or the token is not one that handOver() gave.',
  })

const ended = ({ key }: RunningEffect) =>
  new DuramenError('ABORTED', `${key}: this attempt has ended`, { hint: 'Look at currentEffect().signal.' })

const noPromise = ({ key }: RunningEffect) =>
  new DuramenError('BAD_OPTION', `${key}: handOver() is for invoked promises`, {
    hint: 'Invoke a promise whose code is `return currentEffect().handOver(async (token) => { … })`.',
  })
