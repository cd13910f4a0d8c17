// File names: which are candidates, and what a file is called where its name is taken.
//
// I5 nothing is ever overwritten: a taken name gets a number, `a.png` → `a (2).png`.
// I6 a name that says "not finished" is not taken.
import { extname } from 'node:path'

/** What most file systems allow, in bytes. */
const LONGEST = 255
const REASON = '.reason.txt'
const unfinished = /^\.|\.(part|tmp|crdownload|partial|done)$/i

/** Whether a name in source/ can be an image at all (I6). One that is no valid UTF-8 can't be spoken of, and stays. */
export const isCandidate = (name: string): boolean => !unfinished.test(name) && !name.includes('\uFFFD')

/** Whether a name in our folders is a file of the user: names that begin with a dot are our own unfinished work. */
export const isVisible = (name: string): boolean => !name.startsWith('.')

/** The n-th name for a file, from 1; at most 255 bytes long. */
export function numbered(name: string, n: number): string {
  return fitted(name, n, LONGEST)
}

/** The same for quarantined/, where there must be room for `.reason.txt` behind it. */
export function numberedForReason(name: string, n: number): string {
  return fitted(name, n, LONGEST - REASON.length)
}

/** The file beside a quarantined one that says why. */
export const reasonOf = (name: string): string => name + REASON

/** Whether `candidate` is one of the names that `naming` would give to `name`. */
export function isNumberedFrom(name: string, candidate: string, naming: typeof numbered): boolean {
  const number = / \((\d+)\)(\.[^.]*)?$/.exec(candidate)?.[1]
  return candidate === naming(name, 1) || (number !== undefined && candidate === naming(name, Number(number)))
}

function fitted(name: string, n: number, longest: number): string {
  const extension = extname(name)
  // What is longer than any real extension is a part of the name that may be cut.
  const tail = Buffer.byteLength(extension) > 20 ? '' : extension
  const suffix = (n === 1 ? '' : ` (${n})`) + tail
  const stem = [...name.slice(0, name.length - tail.length)]
  let room = Buffer.byteLength(stem.join('')) + Buffer.byteLength(suffix) - longest
  while (room > 0) room -= Buffer.byteLength(stem.pop()!)
  return stem.join('') + suffix
}
