import type { DuramenError } from '../ports/errors.ts'
import type { Counts } from './counts.ts'
import type { Asker, Receipt } from './inputs.ts'

/** Who waits for what becomes of an input; what he is told is counted. */
export class Caller implements Asker {
  private readonly counts: Counts
  private readonly resolved: (receipt: Receipt) => void
  private readonly rejected: (error: DuramenError) => void

  constructor(counts: Counts, resolve: (receipt: Receipt) => void, reject: (error: DuramenError) => void) {
    this.counts = counts
    this.resolved = resolve
    this.rejected = reject
  }

  resolve(receipt: Receipt): void {
    if (receipt.duplicate) this.counts.duplicates++
    this.resolved(receipt)
  }

  reject(error: DuramenError): void {
    this.counts.reject(error.code)
    this.rejected(error)
  }
}
