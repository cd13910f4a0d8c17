// How many positions damaged places have taken: where a place was several frames, only what is known of later positions
// tells.

import { FRAME_BYTES } from '../segments/format.ts'
import type { Bad } from './check-walk.ts'

/** A damaged place with its positions. */
export interface Damaged extends Bad {
  readonly from: number
  readonly positions: number
  /** That is how many it had; else as many as it can have had, at most. */
  readonly exact: boolean
}

/** A damaged place as it was met. */
export interface Met extends Bad {
  /** Positions of the whole frames between the damaged place before, or the beginning, and this one. */
  readonly before: number
  /** The position behind it, where it is known. */
  after: number | undefined
}

/**
 * `first`: of the segment. `end`: the position behind its last one; undefined where that is not known. `rest`: positions of the
 * whole frames behind the last of the places.
 */
export function placed(met: readonly Met[], first: number, rest: number, end: number | undefined): Damaged[] {
  const done: Damaged[] = []
  let position = first
  let open: Met[] = []
  const settle = (until: number | undefined) => {
    const known = open.reduce((sum, { before, frames = 0 }) => sum + before + frames, 0)
    const unknown = open.filter(({ frames }) => frames === undefined)
    let left = until === undefined ? Number.POSITIVE_INFINITY : Math.max(0, until - position - known)
    const exact = until !== undefined && unknown.length === 1 && left <= room(unknown[0]!)
    for (const bad of open) {
      const more = unknown.slice(unknown.indexOf(bad) + 1).length
      const positions = bad.frames ?? Math.min(room(bad), Math.max(0, left - more))
      if (bad.frames === undefined) left -= positions
      position += bad.before
      done.push({ ...bad, from: position, positions, exact: bad.frames !== undefined || exact })
      position += positions
    }
    open = []
  }
  for (const bad of met) {
    open.push(bad)
    if (bad.after !== undefined) settle(bad.after)
  }
  settle(end === undefined ? undefined : end - rest)
  return done
}

const room = ({ offset, end }: Bad) => Math.floor((end - offset) / FRAME_BYTES)
