// S5 Between heavy loads memory is cleaned: what one has left behind is gone before the next one begins.
import { setImmediate as turn } from 'node:timers/promises'
import type { HostProcess } from '../../ports/process.ts'

/** What a process uses, in bytes. */
type MemoryFigures = ReturnType<HostProcess['memoryUsage']>

/** What came of cleaning. */
export interface MemoryCleaned {
  /** 0 where gc is not exposed. */
  readonly passes: number
  readonly before: MemoryFigures
  readonly after: MemoryFigures
}

/** Finalizers run between passes, and what they let go of is found by the next one. */
const MOST_PASSES = 5
/** What a pass frees of binary data is swept beside it, and is in the figures after the next one only. */
const LEAST_PASSES = 2
/** A pass that frees less than this share is the last. */
const WORTHWHILE = 0.01

/** `gc`: as node exposes it with `--expose-gc`; without it there are only the figures. */
export async function cleanMemory(process: HostProcess, gc: (() => void) | undefined): Promise<MemoryCleaned> {
  const before = process.memoryUsage()
  let after = before
  let passes = 0
  while (gc && passes < MOST_PASSES) {
    const used = usedOf(after)
    gc()
    await turn()
    after = process.memoryUsage()
    passes++
    if (passes >= LEAST_PASSES && used - usedOf(after) < used * WORTHWHILE) break
  }
  return { passes, before, after }
}

const usedOf = ({ heapUsed, external }: MemoryFigures) => heapUsed + external

/** It as a line for people. */
export function memoryLine({ passes, before, after }: MemoryCleaned): string {
  const figures = `memory ${megabytes(after.rss)}, heap ${megabytes(after.heapUsed)}, external ${megabytes(after.external)}`
  if (passes === 0) return `${figures}; not cleaned, for gc is not exposed (NODE_OPTIONS=--expose-gc)`
  const were = `${megabytes(before.rss)}, ${megabytes(before.heapUsed)}, ${megabytes(before.external)}`
  return `${figures}; were ${were} before ${passes} ${passes === 1 ? 'pass' : 'passes'} of gc`
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
