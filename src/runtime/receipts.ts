// K4: one transition per event id. The last ids of an instance with their receipts, and for each sender of deliveries
// those that have arrived and might come again. Both are rebuilt by replay.
// K9: a promise that delivers is a sender of its own, and forgotten once it can't deliver again.
import type { CommitHeader } from '../journal/records.ts'
import { NO_ENTRIES, own } from './empty.ts'
import type { Receipt, Sender } from './inputs.ts'

type Plain = readonly [seq: number, position: number, handled: boolean]

/** All receipts as plain data. */
export interface ReceiptsState {
  readonly ids: readonly (readonly [id: string, Plain])[]
  readonly senders: readonly (readonly [
    id: string,
    { low: number; arrived: readonly (readonly [count: number, Plain])[]; last: Plain },
  ])[]
}

const plain = ({ seq, position, handled }: Receipt): Plain => [seq, position, handled]
const receipt = ([seq, position, handled]: Plain): Receipt => ({ seq, position, duplicate: false, handled })

export class Receipts {
  private ids: Map<string, Receipt> = NO_ENTRIES
  private senders: Map<string, { low: number; arrived: Map<number, Receipt>; last: Receipt }> = NO_ENTRIES
  /** Promises among the senders, by the stream they belong to. */
  private works: Map<string, Set<string>> = NO_ENTRIES
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** As plain data. */
  get state(): ReceiptsState {
    const ids = Array.from(this.ids, ([id, one]) => [id, plain(one)] as const)
    const senders = Array.from(this.senders, ([id, { low, arrived, last }]) => {
      const counts = Array.from(arrived, ([count, one]) => [count, plain(one)] as const)
      return [id, { low, arrived: counts, last: plain(last) }] as const
    })
    return { ids, senders }
  }

  restore({ ids, senders }: ReceiptsState): void {
    this.ids = NO_ENTRIES
    this.senders = NO_ENTRIES
    this.works = NO_ENTRIES
    if (ids.length) this.ids = new Map()
    if (senders.length) this.senders = new Map()
    for (const [id, one] of ids) this.ids.set(id, receipt(one))
    for (const [id, { low, arrived, last }] of senders) {
      const counts = new Map(arrived.map(([count, one]) => [count, receipt(one)]))
      this.senders.set(id, { low, arrived: counts, last: receipt(last) })
      const [sender, work] = id.split(BETWEEN)
      if (work !== undefined) this.worksOf(sender!).add(work)
    }
  }

  /** The first receipt of an event that was recorded before. */
  find(event: { id?: string | undefined; from?: Sender | undefined }): Receipt | undefined {
    if (event.id !== undefined) return this.ids.get(event.id)
    if (event.from === undefined) return undefined
    const known = this.senders.get(senderName(event.from))
    const [, count] = event.from
    return known && (known.arrived.get(count) ?? (count < known.low ? known.last : undefined))
  }

  add(header: CommitHeader, receipt: Receipt): void {
    if (header.from) this.arrived(header.from, receipt)
    if (header.id === undefined) return
    this.ids = own(this.ids).set(header.id, receipt)
    if (this.ids.size > this.limit) this.ids.delete(this.ids.keys().next().value!)
  }

  private arrived(from: Sender, receipt: Receipt): void {
    const [sender, count, low, work] = from
    const name = senderName(from)
    if (work !== undefined) this.forgetBefore(low, sender, work)
    let known = this.senders.get(name)
    if (!known) this.senders = own(this.senders).set(name, (known = { low: 0, arrived: new Map(), last: receipt }))
    known.last = receipt
    known.arrived.set(count, receipt)
    if (work !== undefined || low <= known.low) return
    known.low = low
    for (const earlier of known.arrived.keys()) if (earlier < low) known.arrived.delete(earlier)
  }

  /** Promises that an earlier record made have all ended. */
  private forgetBefore(record: number, sender: string, work: string): void {
    const works = this.worksOf(sender)
    for (const one of works) {
      if (recordOf(one) >= record) continue
      works.delete(one)
      this.senders.delete(sender + BETWEEN + one)
    }
    works.add(work)
  }

  private worksOf(sender: string): Set<string> {
    let works = this.works.get(sender)
    if (!works) this.works = own(this.works).set(sender, (works = new Set()))
    return works
  }
}

/** In no stream's name. */
const BETWEEN = '\n'

/** Under which a sender is known. */
export const senderName = ([sender, , , work]: Sender): string =>
  work === undefined ? sender : sender + BETWEEN + work

/** The record by which the actor with this address was made. */
export const recordOf = (address: string): number => Number.parseInt(address.slice(address.lastIndexOf('@') + 1), 10)
