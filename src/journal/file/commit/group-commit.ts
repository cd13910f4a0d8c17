// Group commit: one group is being written while the next one fills. One write and one fdatasync for all of them is
// what makes many small appends fast.
//
// K7 an append is answered after its group is on disk, and the next group is written after that: recovery counts on it.
// K11 after a failure whose outcome is unknown nothing more is written.
import { type Either, left } from 'fp-ts/lib/Either.js'
import { DuramenError } from '../../../ports/errors.ts'
import { asDuramen } from '../../fs-error.ts'
import type { Append, Appended } from '../../port.ts'
import type { Places } from '../index/places.ts'
import type { Coding } from '../segments/coding.ts'
import type { CommittedFile } from './committed.ts'
import { type Answer, Group } from './group.ts'
import type { Log } from './log.ts'

/** So many appends are worth a write at once; fewer wait until the event loop has come round, for others to join. */
const ENOUGH = 32
/** A disk that syncs in less than that, in ms, may hold up the event loop for an append that is alone. */
const QUICK = 0.5
/** Once a write has taken longer than that, in ms, none holds up the event loop for as long as PATIENCE. */
const SLOW = 20
const PATIENCE = 5_000
/** The most bytes that are written so. */
const SMALL = 1 << 16
const BUFFER_BYTES = 1 << 18
/** Larger buffers, left by large groups, are not kept. */
const KEPT_BYTES = 1 << 22

export class GroupCommit {
  readonly #log: Log
  readonly #places: Places
  readonly #coding: Coding
  readonly #committed: CommittedFile
  readonly #waiting: Group[] = []
  readonly #buffers: Buffer[] = []
  #running: Promise<void> | undefined
  #scheduled = false
  #failure: DuramenError | undefined
  /** The last run wrote a single append. */
  #alone = false
  /** How long a write takes lately, in ms. */
  #duration = Number.POSITIVE_INFINITY
  /** The disk was slow: nothing may wait for it in the event loop before that time. */
  #patientUntil = 0

  constructor(log: Log, places: Places, coding: Coding, committed: CommittedFile) {
    this.#log = log
    this.#places = places
    this.#coding = coding
    this.#committed = committed
  }

  append(append: Append): Promise<Either<DuramenError, Appended>> {
    // The index is asked while the disk still works on what came before.
    if (!this.#places.knows(append.stream)) this.#places.look(append.stream).catch(() => {})
    return this.#commit((group, answer) => group.add(append, this.#log.salt, this.#coding, answer))
  }

  /** Answers with the position that the trim has taken, or 0 where nothing was left to drop. */
  trim(stream: string, before: number): Promise<Either<DuramenError, Appended>> {
    return this.#commit((group, answer) => group.trim(stream, before, this.#log.salt, answer))
  }

  #commit(add: (group: Group, answer: Answer) => void): Promise<Either<DuramenError, Appended>> {
    return new Promise((answer) => {
      if (this.#failure !== undefined) return answer(left(refused(this.#failure)))
      let group = this.#waiting.at(-1)
      if (group === undefined || group.full) {
        group = new Group(this.#buffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES), this.#log.chain !== undefined)
        this.#waiting.push(group)
      }
      add(group, answer)
      if (this.#running !== undefined) return
      if (group.entries.length >= ENOUGH) this.#start()
      else this.#schedule()
    })
  }

  /** Resolves when all appends are answered. */
  async settled(): Promise<void> {
    while (this.#waiting.length > 0 || this.#running !== undefined) await (this.#running ?? this.#start())
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#running === undefined && this.#waiting.length > 0) this.#start()
    })
  }

  #start(): Promise<void> {
    this.#running = this.#run()
    return this.#running
  }

  /**
   * The next group is on its way to the disk before the last one is answered: those who are answered will append again,
   * and their appends are encoded while the disk works.
   */
  async #run(): Promise<void> {
    const first = this.#waiting[0]!
    const alone = this.#waiting.length === 1 && first.entries.length === 1
    const quick = this.#duration < QUICK && first.bytes.length <= SMALL
    const blocking = alone && this.#alone && quick && performance.now() >= this.#patientUntil
    this.#alone = alone
    let answer = () => {}
    for (let group = this.#waiting.shift(); group !== undefined; group = this.#waiting.shift()) {
      const begun = performance.now()
      this.#places.hold()
      const written = await this.#write(group, blocking && group === first)
      const syncing = written === undefined ? this.#sync(group, blocking && group === first) : undefined
      answer()
      const error = written ?? (await syncing)
      this.#places.release()
      if (error === undefined && group.bytes.length > 0) this.#measure(performance.now() - begun)
      if (group !== first) this.#alone = false
      answer = this.#answerOf(group, error)
    }
    this.#running = undefined
    answer()
  }

  #answerOf(group: Group, error: DuramenError | undefined): () => void {
    return () => {
      group.answer(error)
      if (group.buffer.length <= KEPT_BYTES && this.#buffers.length < 2) this.#buffers.push(group.buffer)
    }
  }

  /** Resolves with what went wrong for the whole group. */
  async #write(group: Group, blocking: boolean): Promise<DuramenError | undefined> {
    if (this.#failure !== undefined) return refused(this.#failure)
    try {
      const looking = group.prepare(this.#places)
      if (looking !== undefined) await looking
    } catch (error) {
      return asDuramen(error, 'read the index of the journal', {})
    }
    group.check(this.#places)
    if (group.bytes.length === 0) return undefined
    try {
      await this.#log.write(group.bytes, this.#places.last + 1, blocking)
    } catch (error) {
      return this.#failed(group, error as DuramenError)
    }
    return undefined
  }

  async #sync(group: Group, blocking: boolean): Promise<DuramenError | undefined> {
    if (group.bytes.length === 0) return undefined
    try {
      const offset = await this.#log.sync(group.bytes, group.last, blocking)
      group.commit(this.#places, offset)
      this.#committed.moved(group.bytes.readUInt32LE(this.#places.end.offset - offset + 4))
    } catch (error) {
      return this.#failed(group, error as DuramenError)
    }
    return undefined
  }

  #failed(group: Group, error: DuramenError): DuramenError {
    group.drop(this.#places)
    if (error.code === 'OUTCOME_UNKNOWN') {
      this.#failure = error
      this.#committed.failed()
    }
    return error
  }

  #measure(took: number): void {
    if (took > SLOW) this.#patientUntil = performance.now() + PATIENCE
    this.#duration = this.#duration < Number.POSITIVE_INFINITY ? this.#duration * 0.75 + took * 0.25 : took
  }
}

function refused(cause: DuramenError): DuramenError {
  return new DuramenError('JOURNAL_FAILED', 'An earlier write failed, the journal takes no more appends', {
    cause,
    where: cause.where,
    hint: 'Close the journal, see to the disk and open the journal again.',
  })
}
