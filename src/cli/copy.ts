// Copies the images of a user's folder into source/. The folder is only read.
//
// Each file is written under a name that the pipeline does not take, synced, renamed; then a line in `copied` says so.
// A kill between rename and line has the file copied twice, and the pipeline knows it as a duplicate; the other way
// round it would be missing.
import { appendFile, lstat, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { errnoOf, fileError } from '../adapters/filesystem/errors.ts'
import { chunks, nodeFiles, withFile } from '../adapters/filesystem/files.ts'
import { openRegular } from '../adapters/filesystem/inspect.ts'
import { isCandidate, numbered } from '../adapters/filesystem/names.ts'
import { syncFolder } from '../journal/file/segments/segments.ts'
import { DuramenError } from '../ports/errors.ts'
import type { Places } from './stage.ts'

const DRAFT = '.copying'

type CopyTo = Pick<Places, 'source' | 'copied'>

export interface Copied {
  readonly copied: number
  readonly before: number
  /** `sub/ (a folder)`. */
  readonly leftOut: readonly string[]
}

/** The folder's real path. FOLDER_MISSING, NOT_A_FILE; BAD_OPTION when it lies in `data`, where files are moved. */
export async function checkFolder(folder: string, data: string): Promise<string> {
  const where = { file: folder }
  const hint = 'Name a folder that holds images.'
  const found = await realpath(folder).catch((cause) => {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR')
      throw new DuramenError('FOLDER_MISSING', `there is no folder ${folder}`, { cause, where, hint })
    throw fileError(cause, `open ${folder}`, folder)
  })
  if (!(await stat(found)).isDirectory())
    throw new DuramenError('NOT_A_FILE', `${folder} is no folder`, { where, hint })
  const own = await realpath(data).catch(() => undefined)
  if (own !== undefined && (found + sep).startsWith(own + sep))
    throw new DuramenError('BAD_OPTION', `${folder} lies in ${data}, which is the demo's own`, {
      where,
      hint: 'Name a folder outside of it.',
    })
  return found
}

/** Copies what was not copied before, each file complete and under a free name. */
export async function copyFolder(
  folder: string,
  to: CopyTo,
  signal: AbortSignal,
  progress: (done: number, total: number, name: string) => void,
): Promise<Copied> {
  const leftOut: string[] = []
  let copied = 0
  let before = 0
  try {
    const known = new Set((await readFile(to.copied, 'utf8').catch(emptyIfMissing)).split('\n'))
    const names = (await readdir(folder)).sort()
    for (const [done, name] of names.entries()) {
      signal.throwIfAborted()
      progress(done, names.length, name)
      const outcome = isCandidate(name) ? await copyFile(folder, name, to, known, signal) : 'hidden or unfinished'
      if (outcome === 'copied') copied++
      else if (outcome === 'before') before++
      else leftOut.push(`${name} (${outcome})`)
    }
  } catch (error) {
    throw fileError(error, `copy ${folder} to ${to.source}`, folder, signal)
  }
  return { copied, before, leftOut }
}

/** `copied`, `before`, or why it was left out. */
async function copyFile(folder: string, name: string, to: CopyTo, known: Set<string>, signal: AbortSignal) {
  const path = join(folder, name)
  const opened = await openRegular(nodeFiles, path, name).catch((error: Error) => error)
  if (opened instanceof Error) return reasonOf(opened, name)
  return withFile(Promise.resolve(opened), async (handle) => {
    const { size, mtimeMs } = await handle.stat()
    const line = JSON.stringify([path, size, mtimeMs])
    if (known.has(line)) return 'before'
    const draft = join(to.source, DRAFT)
    await rm(draft, { force: true })
    await withFile(open(draft, 'wx', 0o600), async (copy) => {
      await writeFile(copy, chunks(handle, signal))
      await copy.sync()
    })
    await rename(draft, await freePath(to.source, name))
    await syncFolder(to.source)
    // the line break comes first: a line that a kill cut short then stays alone
    await appendFile(to.copied, `\n${line}`, { mode: 0o600 })
    return 'copied'
  })
}

async function freePath(source: string, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(source, numbered(name, n))
    if ((await lstat(path).catch(emptyIfMissing)) === '') return path
  }
}

function reasonOf(error: Error, name: string): string {
  if (error instanceof DuramenError) return error.message.replace(`${name} is `, '')
  return errnoOf(error) === 'ENOENT' ? 'not there any more' : `cannot be read: ${errnoOf(error)}`
}

function emptyIfMissing(error: unknown): string {
  if (errnoOf(error) === 'ENOENT') return ''
  throw error
}
