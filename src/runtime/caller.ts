import type { DuramenError } from '../ports/errors.ts'
import type { Counts } from './counts.ts'
import type { Asker, Receipt } from './inputs.ts'

/** Passes on what becomes of an input, and counts it. */
export class Caller implements Asker {
  private readonly counts: Counts
  private readonly asker: Asker

  constructor(counts: Counts, asker: Asker) {
    this.counts = counts
    this.asker = asker
  }

  resolve(receipt: Receipt): void {
    if (receipt.duplicate) this.counts.duplicates++
    this.asker.resolve(receipt)
  }

  reject(error: DuramenError): void {
    this.counts.reject(error.code)
    this.asker.reject(error)
  }
}
