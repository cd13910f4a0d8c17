// The inputs of one instance that wait to be decided, in order.
import type { DuramenError } from '../ports/errors.ts'
import type { Input } from './inputs.ts'

export class Mailbox {
  private readonly inputs: Input[] = []

  get size(): number {
    return this.inputs.length
  }

  add(input: Input): void {
    this.inputs.push(input)
  }

  next(): Input {
    return this.inputs.shift()!
  }

  /** To be decided again, before all others. */
  putBack(...inputs: Input[]): void {
    this.inputs.unshift(...inputs)
  }

  /** It is not to be decided again after all. */
  remove(input: Input): void {
    const at = this.inputs.indexOf(input)
    if (at >= 0) this.inputs.splice(at, 1)
  }

  /** None of them will be decided. */
  refuse(error: DuramenError): void {
    for (const input of this.inputs.splice(0)) input.caller?.reject(error)
  }

  /** Those that somebody can send again will not be decided; the others stay. */
  refuseCallers(error: DuramenError): void {
    for (const input of this.inputs.splice(0)) {
      if (input.keep || !input.caller) this.inputs.push(input)
      else input.caller.reject(error)
    }
  }
}
