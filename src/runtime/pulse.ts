// When hosts ran, kept in the journal: one record at opening, one each minute, one at the end. Only for hosts with a machine
// whose timers `resume`.
//
// K6: after a crash the time since the last record counts as down: a timer comes up to a minute too late, never too early.
// K9: each opening, and each hour, sums up what was before, and that is trimmed.
import { isLeft } from 'fp-ts/lib/Either.js'
import { encode } from '../journal/codec.ts'
import type { Journal } from '../journal/port.ts'
import { decodeCommit, encodeCommit, HOST_STREAM } from '../journal/records.ts'
import type { Clock } from '../ports/clock.ts'
import type { DuramenError } from '../ports/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { type Down, type Life, withDown } from './uptime.ts'

/** ms between two signs of life. */
const EVERY = 60_000
/** Each so manieth sums up. */
const SUM_UP = 60
/** Other hosts that may come first at an opening. */
const TRIES = 10

interface PulseOutcome {
  readonly pulse: 'open' | 'alive' | 'close'
  /** All spans without a host, up to here; absent: none since the record before. */
  readonly downs?: readonly Down[]
}

export class Pulse implements Life {
  readonly opened: number
  downs: readonly Down[] = []
  private readonly journal: Journal
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly host: string
  private beginning: Promise<void> | undefined
  private cancel: (() => void) | undefined
  private seq = 0
  private beats = 0
  private writing: Promise<void> = Promise.resolve()
  private closed = false

  constructor(journal: Journal, clock: Clock, logger: Logger, host: string) {
    this.journal = journal
    this.clock = clock
    this.logger = logger
    this.host = host
    this.opened = clock.now()
  }

  /** Learns when no host ran, and keeps on record from now on that this one does. Rejects with what the journal answers. */
  begin(): Promise<void> {
    this.beginning ??= this.open().catch((error) => {
      this.beginning = undefined
      throw error
    })
    return this.beginning
  }

  /** The last sign of life. */
  async close(): Promise<void> {
    this.closed = true
    this.cancel?.()
    if (!this.beginning) return
    await this.writing
    await this.append({ pulse: 'close' }).catch((error: DuramenError) => this.warn(error))
  }

  private async open(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.learn()
        await this.append({ pulse: 'open', downs: this.downs })
        break
      } catch (error) {
        if ((error as DuramenError).code !== 'CONFLICT' || tries === TRIES) throw error
      }
    }
    await this.trim()
    this.next()
  }

  private async learn(): Promise<void> {
    let last: number | undefined
    this.downs = []
    for await (const record of this.journal.read(HOST_STREAM)) {
      const commit = decodeCommit(record)
      this.downs = (commit.outcome() as PulseOutcome).downs ?? this.downs
      this.seq = commit.seq
      last = commit.at
    }
    if (last !== undefined) this.downs = withDown(this.downs, [last, this.clock.now()])
  }

  private next(): void {
    if (this.closed) return
    this.cancel = this.clock.after(EVERY, () => {
      this.writing = this.beat()
        .catch((error: DuramenError) => this.warn(error))
        .then(() => this.next())
    })
  }

  private async beat(): Promise<void> {
    const sum = ++this.beats % SUM_UP === 0
    await this.append({ pulse: 'alive', ...(sum && { downs: this.downs }) })
    if (sum) await this.trim()
  }

  private async append(outcome: PulseOutcome): Promise<void> {
    const { seq, host } = this
    const header = { stream: HOST_STREAM, seq: seq + 1, at: this.clock.now(), kind: 'host', version: 1, host } as const
    const text = encodeCommit(header, JSON.stringify(outcome), encode(null, { name: 'pulse' }))
    const appended = await this.journal.append({ stream: HOST_STREAM, expected: seq, texts: [text] })()
    if (isLeft(appended)) {
      // it may be there, or another host's is: the next one follows what is
      this.seq = (await this.journal.head(HOST_STREAM))?.seq ?? 0
      throw appended.left
    }
    this.seq = seq + 1
  }

  private async trim(): Promise<void> {
    const trimmed = await this.journal.trim(HOST_STREAM, this.seq)()
    if (isLeft(trimmed)) this.warn(trimmed.left)
  }

  private warn(error: DuramenError): void {
    this.logger.warn(`that this host runs could not be recorded: ${error.message}`, error)
  }
}
