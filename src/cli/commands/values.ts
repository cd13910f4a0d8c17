// What stands behind an option or an argument, read and refused in one place.
import { InvalidArgumentError } from 'commander'
import type { ChainHead } from '../../journal/index.ts'
import { createScreen, type Screen } from '../screen.ts'

/** Where a command's report goes. */
export const screenOut = (): Screen => createScreen(process.stdout)

export function position(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give the position of a record, such as 4711.')
}

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number, such as 2000.')
}

export function chainHead(text: string): ChainHead {
  const [, position, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash }
  throw new InvalidArgumentError('Give a position, a colon and the 64 digits of its hash, as check has printed them.')
}
