// The words of a check: a damage, and what was found of each segment.
import type { TornTail } from '../commit/recover.ts'
import type { IndexEvidence } from './check-index.ts'
import type { Order } from './check-order.ts'
import type { Damaged } from './check-positions.ts'

/**
 * - `frame`: bytes that are no frame as it was written
 * - `header`: the first bytes of a segment, which say what it is
 * - `missing`: records that no segment holds
 * - `double`: a segment with records that are in another one, too
 * - `order`: a whole frame that can't be there
 * - `foreign`: a segment of another journal, or under another's name
 * - `newer`: something that only a newer version of duramen understands
 * - `end`: the journal ends before a record that its index knows
 */
export type DamageKind = 'frame' | 'header' | 'missing' | 'double' | 'order' | 'foreign' | 'newer' | 'end'

/** One place at which a journal is not as it was written. */
export interface Damage {
  readonly kind: DamageKind
  /** The segment's file; of missing ones: the file behind them. */
  readonly file: string
  readonly offset: number
  readonly bytes: number
  /** The positions that are concerned; absent for none. */
  readonly from?: number
  readonly to?: number
  /** `false`: `from` and `to` are as far as it can be, it may be less. */
  readonly exact: boolean
  /** What is wrong, in words. */
  readonly what: string
}

/** A segment that is read, and what of it is not as it was written. */
export interface ExaminedSegment {
  readonly kind: 'segment'
  readonly file: string
  readonly first: number
  readonly size: number
  readonly last: boolean
  readonly headerDamaged: boolean
  readonly bads: readonly Damaged[]
  /** Where the last whole append before the first damage of its frames ends; undefined for none. */
  readonly soundTo: number | undefined
  /** Where its frames end. */
  readonly end: number
}

export type ExaminedPart =
  | ExaminedSegment
  | { readonly kind: 'missing'; readonly file: string; readonly first: number; readonly positions: number }
  /** A segment that can't be where it is. */
  | { readonly kind: 'stray'; readonly file: string; readonly size: number; readonly first: number }

export interface Examination {
  readonly salt: number
  readonly parts: readonly ExaminedPart[]
  readonly damages: readonly Damage[]
  readonly torn: TornTail | undefined
  readonly order: Order
  /** The last position. */
  readonly last: number
  readonly index: IndexEvidence
  /** Bytes of all segments. */
  readonly bytes: number
}
