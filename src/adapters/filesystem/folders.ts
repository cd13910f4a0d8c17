// The folders of one image pipeline, kept by one process: which there are, who may use them, and the port's calls.
//
// I1, I7 taken.ts, move.ts, crossing.ts, outputs.ts · I4, I6 waiting.ts, inspect.ts · I5 move.ts, names.ts
// K10 close lets what is running end, then gives the lock back; it may be called twice.
import { constants } from 'node:fs'
import { join, resolve } from 'node:path'
import { acquireLock, type Lock } from '../../journal/lock.ts'
import { makeFolders } from '../../journal/make-folders.ts'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, assertPath, optionsGiven } from '../../ports/given.ts'
import type { ImageFolders } from '../../ports/image.ts'
import { Dir, pathOfHandle } from './dir.ts'
import { errnoOf, fileError, task } from './errors.ts'
import { type Files, nodeFiles, syncFolder, withFile } from './files.ts'
import { createMove } from './move.ts'
import { isCandidate, isVisible, reasonOf } from './names.ts'
import { createOutputs } from './outputs.ts'
import { sweep } from './sweep.ts'
import { createTaken } from './taken.ts'
import { createWaiting } from './waiting.ts'

/** How a pipeline takes files from source/. */
export interface FileSystemFoldersOptions {
  /**
   * Which file comes first: by name (UTF-16 code units, the same on every machine) or by time of last modification,
   * oldest first. Default `'name'`.
   */
  readonly order?: 'name' | 'time'
  /** How long a file must be unchanged to count as complete, in ms, unless a `<name>.done` lies beside it. Default 1,000. */
  readonly stableFor?: number
}

/**
 * The folders source/, images_sources/, images_old/, quarantined/ and .duramen/ under `root`, made by `open` where they
 * are missing (mode 0700) and held by one process at a time. They must be folders, not links; to have one on another
 * disk, mount that there. Links are never followed, folders in source/ are left alone, and so are files whose names are
 * not valid UTF-8. BAD_OPTION is thrown for a bad option; calls before `open` or after `close` answer CLOSED.
 */
export function fileSystemFolders(
  root: string,
  options: FileSystemFoldersOptions = {},
  files: Files = nodeFiles,
): ImageFolders {
  assertPath('fileSystemFolders', root)
  const given = optionsGiven('fileSystemFolders', options, "Leave it out, or give an object: { order: 'time' }.")
  assertNames('fileSystemFolders', given, ['order', 'stableFor'])
  const { order = 'name', stableFor = 1000 } = given
  checkOptions(order, stableFor)
  const top = resolve(root)
  const dir = (...names: string[]) => new Dir(join(top, ...names), files)
  const source = dir('source')
  const images = dir('images_sources')
  const old = dir('images_old')
  const quarantined = dir('quarantined')
  const own = dir('.duramen')
  const kept = dir('.duramen', 'outputs')
  const work = dir('.duramen', 'work')
  const all = [source, images, old, quarantined, own, kept, work]

  const move = createMove(files)
  const waiting = createWaiting(files, source, { order, stableFor })
  const taken = createTaken(files, images, move)
  const outputs = createOutputs(files, kept, work)
  let opened: Promise<Lock> | undefined
  const running = new Set<Promise<unknown>>()

  async function open(): Promise<Lock> {
    await makeFolders(top, files.mkdir)
    for (const each of all) {
      await files.mkdir(each.path, 0o700).catch((error) => {
        if (errnoOf(error) !== 'EEXIST') throw error
      })
      // Before the next: what looks like .duramen/ may lead elsewhere.
      await each
        .use((folder) => files.access(folder.itself, constants.R_OK | constants.W_OK | constants.X_OK))
        .catch((error) => Promise.reject(fileError(error, `use ${each.path}`, each.path)))
    }
    const lock = await acquireLock(join(own.path, 'lock'))
    try {
      await outputs.sweep()
      await source.use((from) => images.use((to) => sweep(files, move, from, to)))
      for (const target of [old, quarantined]) {
        await images.use((from) => target.use((to) => sweep(files, move, from, to)))
      }
      // Also makes durable what a process that died had moved but not synced.
      for (const each of all) await each.use((folder) => folder.sync())
      await withFile(files.open(top, constants.O_DIRECTORY), syncFolder)
      return lock
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async function leave(): Promise<void> {
    for (const each of all) await each.close()
  }

  async function start(): Promise<void> {
    opened ??= open().catch(async (error) => {
      opened = undefined
      await leave()
      throw error
    })
    await opened
  }

  async function close(): Promise<void> {
    const lock = opened
    opened = undefined
    await Promise.allSettled(running)
    await leave()
    await (await lock?.catch(() => undefined))?.release()
  }

  const call = <A>(doing: string, file: string, run: () => Promise<A>, signal?: AbortSignal) =>
    task(
      `${doing} ${file}`,
      file,
      async () => {
        if (opened === undefined) throw closed(top)
        await opened
        const work = run()
        running.add(work)
        return await work.finally(() => running.delete(work))
      },
      signal,
    )

  async function claim(name: string, signal?: AbortSignal) {
    try {
      return await taken.claim(source, name, signal)
    } finally {
      waiting.forget(name)
    }
  }

  const openImage = (name: string, sha256: string, signal?: AbortSignal) =>
    images.use(async (folder) => {
      const handle = await taken.open(folder, name, sha256, signal)
      const { size } = await handle.stat()
      return { path: pathOfHandle(handle, folder.shown(name)), size, close: () => handle.close() }
    })

  const countIn = (each: Dir, counts: (name: string, all: Set<string>) => boolean): Promise<number> =>
    each.use(async (folder) => {
      const entries = await files.readdir(folder.itself, { withFileTypes: true })
      const names = new Set(entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name))
      return [...names].filter((name) => counts(name, names)).length
    })

  const inSource = (name: string): string => join(source.path, name)
  const inImages = (name: string): string => join(images.path, name)
  return {
    open: () => task(`open the folders of ${top}`, top, start),
    waiting: (limit) => call('list', source.path, () => waiting.next(limit)),
    unowned: (owned) => call('list', images.path, () => taken.unowned(owned)),
    claim: (name, signal) => call('take', inSource(name), () => claim(name, signal), signal),
    inspect: (name, signal) => call('read', inImages(name), () => taken.inspect(name, signal), signal),
    openImage: (name, sha256, signal) => call('open', inImages(name), () => openImage(name, sha256, signal), signal),
    workDir: (sha256, name) =>
      call('make a folder for scratch files in', work.path, () => outputs.workDir(sha256, name)),
    saveOutputs: (sha256, name, made, signal) =>
      call('save outputs in', kept.path, () => outputs.save(sha256, name, made, signal), signal),
    readOutput: (output) => call('read', join(kept.path, output.file), () => outputs.read(output)),
    dropOutputs: (sha256, name) => call('remove outputs in', kept.path, () => outputs.drop(sha256, name)),
    archive: (name, sha256) => call('archive', inImages(name), () => taken.archive(name, sha256, old)),
    quarantine: (name, sha256, reason) =>
      call('quarantine', inImages(name), () => taken.quarantine(name, sha256, reason, quarantined)),
    count: () =>
      call('count the files of', top, async () => ({
        source: await countIn(source, isCandidate),
        images_sources: await countIn(images, isVisible),
        images_old: await countIn(old, isVisible),
        quarantined: await countIn(quarantined, (name, names) => isVisible(name) && !isReason(name, names)),
      })),
    close: () => task(`close the folders of ${top}`, top, close),
  }
}

function isReason(name: string, names: Set<string>): boolean {
  const ending = reasonOf('')
  return name.endsWith(ending) && names.has(name.slice(0, -ending.length))
}

function checkOptions(order: unknown, stableFor: unknown): void {
  if ((order === 'name' || order === 'time') && typeof stableFor === 'number' && stableFor >= 0) return
  throw new DuramenError('BAD_OPTION', `order ${JSON.stringify(order)}, stableFor ${JSON.stringify(stableFor)}`, {
    hint: "Give order 'name' or 'time', and stableFor in milliseconds, 0 or more.",
  })
}

const closed = (top: string): DuramenError =>
  new DuramenError('CLOSED', `The folders of ${top} are not open`, { where: { file: top }, hint: 'Call open() first.' })
