// child.json in the state folder: which process was begun last, for the supervisor that comes after one that was killed.
//
// V1i never two children: it is written before anything else can happen, in one turn of the event loop with the spawn.
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { partOf } from '../../ports/thrown.ts'
import type { Leader } from './leftovers.ts'
import type { Identity } from './table.ts'

const fileIn = (folder: string) => join(folder, 'child.json')

/** Throws what the file system says. */
export function record(folder: string, { pid, started }: Identity): void {
  const draft = `${fileIn(folder)}.tmp`
  writeFileSync(draft, JSON.stringify({ pid, started }), { mode: 0o600 })
  renameSync(draft, fileIn(folder))
}

/** null where there is none, or what is there is no record. */
export function recorded(folder: string): Leader | null {
  try {
    const found: unknown = JSON.parse(readFileSync(fileIn(folder), 'utf8'))
    const pid = partOf(found, 'pid')
    const started = partOf(found, 'started')
    if (typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 1 && typeof started === 'string')
      return { pid, started, watched: false }
  } catch {}
  return null
}

/** Nothing is left of it. One that stays harms nobody: its process can't be found again. */
export function forget(folder: string): void {
  try {
    unlinkSync(fileIn(folder))
  } catch {}
}
