// The files that wait in source/.
//
// I4 the order is that of the names by their UTF-16 code units (so `10.png` comes before `9.png` and no locale changes
//    it), or that of the time of last modification as first seen, then of the names.
// I6 a file is taken when it is complete: a `<name>.done` beside it that is not older, or unchanged for `stableFor`.
//    Where clocks disagree (a network share, a time in the future) what counts is what we saw ourselves.
import type { Stats } from 'node:fs'
import type { WaitingFile } from '../../ports/image.ts'
import type { Dir, Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import type { Files } from './files.ts'
import type { FileSystemFoldersOptions } from './folders.ts'
import { isCandidate } from './names.ts'

/** How long a listing is used again, in ms: a folder of 10,000 files is not read for each of them, a small one is. */
const reuseFor = (length: number): number => Math.min(500, Math.floor(length / 20))
const AT_ONCE = 64

export function createWaiting(files: Files, source: Dir, { order, stableFor }: Required<FileSystemFoldersOptions>) {
  let names: string[] = []
  let length = 0
  let finished = new Set<string>()
  let readAt = Number.NEGATIVE_INFINITY
  const modified = new Map<string, number>()
  const seen = new Map<string, { size: number; mtimeMs: number; since: number }>()

  async function read(folder: Folder): Promise<void> {
    const entries = await files.readdir(folder.itself, { withFileTypes: true })
    const listed = entries.filter((entry) => !entry.isDirectory() && isCandidate(entry.name)).map(({ name }) => name)
    finished = new Set(entries.filter(({ name }) => name.endsWith('.done')).map(({ name }) => name))
    const present = new Set(listed)
    for (const known of [seen, modified]) for (const name of known.keys()) if (!present.has(name)) known.delete(name)
    listed.sort()
    if (order === 'time') await sortByTime(folder, listed)
    names = listed
    length = listed.length
    readAt = performance.now()
  }

  async function sortByTime(folder: Folder, listed: string[]): Promise<void> {
    const unknown = listed.filter((name) => !modified.has(name))
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      const batch = unknown.slice(at, at + AT_ONCE)
      const stats = await Promise.all(batch.map((name) => look(folder, name)))
      for (const [i, name] of batch.entries()) modified.set(name, stats[i]?.mtimeMs ?? 0)
    }
    listed.sort((a, b) => (modified.get(a) ?? 0) - (modified.get(b) ?? 0))
  }

  async function look(folder: Folder, name: string): Promise<Stats | undefined> {
    return await files.lstat(folder.at(name)).catch((error) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
  }

  async function isComplete(folder: Folder, name: string, stat: Stats): Promise<boolean> {
    // A link, a FIFO or a device never gets more complete; `claim` refuses it.
    if (!stat.isFile()) return true
    const done = `${name}.done`
    // An older one was for a file of the same name before this one.
    if (finished.has(done) && ((await look(folder, done))?.mtimeMs ?? 0) >= stat.mtimeMs) return true
    if (Math.floor(Math.max(stat.mtimeMs, stat.ctimeMs)) <= Date.now() - stableFor) return true
    const now = performance.now()
    let last = seen.get(name)
    if (last === undefined || last.size !== stat.size || last.mtimeMs !== stat.mtimeMs) {
      last = { size: stat.size, mtimeMs: stat.mtimeMs, since: now }
      seen.set(name, last)
    }
    return now - last.since >= stableFor
  }

  return {
    next: (limit: number): Promise<WaitingFile[]> =>
      source.use(async (folder) => {
        if (performance.now() - readAt >= reuseFor(length)) await read(folder)
        const found: WaitingFile[] = []
        for (const name of names.slice()) {
          if (found.length >= limit) break
          const stat = await look(folder, name)
          if (stat === undefined) {
            forget(name)
            continue
          }
          if (stat.isDirectory() || !(await isComplete(folder, name, stat))) continue
          found.push({ name, size: stat.size, modified: stat.mtimeMs })
        }
        return found
      }),
    /** The file has been claimed. */
    forget,
  }

  function forget(name: string): void {
    const at = names.indexOf(name)
    if (at >= 0) names.splice(at, 1)
    modified.delete(name)
    seen.delete(name)
  }
}
