// K4: one transition per event id. The last ids of an instance with their receipts, and for each sender of deliveries how
// far it has come. Both are rebuilt by replay.
import type { CommitHeader } from '../journal/records.ts'
import type { Receipt } from './inputs.ts'

export class Receipts {
  private readonly ids = new Map<string, Receipt>()
  private readonly senders = new Map<string, { count: number; receipt: Receipt }>()
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** The first receipt of an event that was recorded before. */
  find(event: { id?: string | undefined; from?: readonly [string, number] | undefined }): Receipt | undefined {
    if (event.id !== undefined) return this.ids.get(event.id)
    if (event.from === undefined) return undefined
    const known = this.senders.get(event.from[0])
    return known && event.from[1] <= known.count ? known.receipt : undefined
  }

  add(header: CommitHeader, receipt: Receipt): void {
    if (header.from) this.senders.set(header.from[0], { count: header.from[1], receipt })
    if (header.id === undefined) return
    this.ids.set(header.id, receipt)
    if (this.ids.size > this.limit) this.ids.delete(this.ids.keys().next().value!)
  }
}
