// What the machine has left: processors, memory, disk.
import { stat, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { printable } from '../../ports/printable.ts'
import { cpuSampled } from '../probes/cpu.ts'
import { type Memory, memoryNow } from '../probes/memory.ts'
import { bytes } from '../text.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Percent. */
const BUSY = 90
/** Parts of the whole that should be left, and that must be. */
const SHORT = 0.1
const GONE = 0.02
export const cpu = async (signal: AbortSignal): Promise<Finding[]> => [
  cpuFinding(await cpuSampled(signal), availableParallelism()),
]

export function cpuFinding(percent: number, processors: number): Finding {
  const what = `${Math.round(percent)} % of ${processors} in use`
  return percent < BUSY ? ok('cpu', what) : warn('cpu', what, 'see with top what takes it')
}

export const memory = async (): Promise<Finding[]> => [memoryFinding(await memoryNow())]

export function memoryFinding({ available, total, constrained }: Memory): Finding {
  const what = `${bytes(available)} of ${bytes(total)} left${constrained ? ' in this container' : ''}`
  const more = constrained ? "raise the container's limit" : 'see with top what takes it'
  if (available < total * GONE) return fail('memory', what, `${more}, before processes are killed for it`)
  return available < total * SHORT ? warn('memory', what, more) : ok('memory', what)
}

export interface Disk {
  readonly folders: readonly string[]
  readonly free: number
  readonly size: number
  /** Files that can still be made; undefined where the file system does not count them. */
  readonly files: number | undefined
}

/** Bytes that a journal needs to go on: its next segment. */
const LEAST = 64e6
/** Bytes that are enough for now, however big the disk is. */
const ENOUGH = 10e9

/** A line for each file system that these folders are on, also of those that are not there yet. */
export async function disk(folders: readonly string[]): Promise<Finding[]> {
  const devices = new Map<number, string[]>()
  for (const folder of new Set(folders)) {
    const { dev } = await stat(await existing(folder))
    devices.set(dev, [...(devices.get(dev) ?? []), folder])
  }
  return Promise.all(
    [...devices.values()].map(async (those) => {
      const { bavail, blocks, bsize, files, ffree } = await statfs(await existing(those[0]!))
      return diskFinding({
        folders: those,
        free: bavail * bsize,
        size: blocks * bsize,
        files: files > 0 ? ffree : undefined,
      })
    }),
  )
}

export function diskFinding({ folders, free, size, files }: Disk): Finding {
  const of = `of ${folders.map(printable).join(' and ')}`
  if (files === 0) return fail('disk', `the file system ${of} can't take another file`, 'remove files there')
  const what = `${bytes(free)} of ${bytes(size)} left on the file system ${of}`
  const next = 'free space there, or put the journal on another disk'
  if (free < Math.min(LEAST, size * SHORT) || free < Math.min(ENOUGH, size * GONE)) return fail('disk', what, next)
  return free < size * SHORT ? warn('disk', what, next) : ok('disk', what)
}

/** The folder, or the nearest above it that is there. */
export async function existing(folder: string): Promise<string> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const there = await stat(path).then(
      () => true,
      ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT',
    )
    if (there || path === dirname(path)) return path
  }
}
