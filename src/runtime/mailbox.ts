// The inputs of one instance that wait to be decided, in order.
import type { DuramenError } from '../ports/errors.ts'
import type { Input } from './inputs.ts'
import { ROOT } from './turn.ts'

/** Under which an operator can name it: its timer, or the actor that it is for. */
export const nameOf = ({ key, target }: Input): string => key ?? target ?? ROOT

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

  /** An operator's: before all others but those of operators that came first. */
  addFirst(input: Input): void {
    const at = this.inputs.findIndex(({ kind }) => kind !== 'operator')
    this.inputs.splice(at < 0 ? this.inputs.length : at, 0, input)
  }

  /** The next of these kinds. */
  nextOf(kinds: readonly Input['kind'][]): Input | undefined {
    const at = this.inputs.findIndex(({ kind }) => kinds.includes(kind))
    return at < 0 ? undefined : this.inputs.splice(at, 1)[0]
  }

  has(kinds: readonly Input['kind'][]): boolean {
    return this.inputs.some(({ kind }) => kinds.includes(kind))
  }

  /** Those that wait and have this key, or are for the actor at this address. */
  waiting(key: string): Input[] {
    return this.inputs.filter((input) => input.keep && input.kind !== 'operator' && nameOf(input) === key)
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
      if (input.keep || !input.caller || input.kind === 'operator') this.inputs.push(input)
      else input.caller.reject(error)
    }
  }
}
