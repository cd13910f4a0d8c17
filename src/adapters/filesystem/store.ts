// An image store in a folder: objects/ named after their content, units/ with the records of images, tmp/ for what is
// not finished. Any number of processes may use it at once.
//
// I1 an answer is built from what was read back from the disk. I3 a unit is there once its record is.
// I5 the same content is stored once, and nothing is replaced but what is damaged.
import { dirname, join, resolve } from 'node:path'
import { makeFolders } from '../../journal/make-folders.ts'
import { DuramenError } from '../../ports/errors.ts'
import { assertPath, isHash } from '../../ports/given.ts'
import type { ImageStore, StoredUnit, StoreOutput, StoreUnit } from '../../ports/image.ts'
import { isDraft } from './crossing.ts'
import { errnoOf, fileError, task } from './errors.ts'
import { type Files, FOLDER, nodeFiles, syncFolder, withFile } from './files.ts'
import type { Manifest } from './manifest.ts'
import { Objects } from './objects.ts'
import { Records } from './records.ts'

/** What an interrupted upload left is removed when it is this old, in ms: a running one may still need it. */
const ABANDONED = 60 * 60_000

/**
 * An image store in the folder `dir`, which is made (mode 0700) by the first call; when it disappears later, calls
 * answer FOLDER_MISSING until it is back. Its file system must have hard links (not FAT or exFAT): else each `put` answers
 * IO. BAD_INPUT for a key or hash that is not 64 hex digits. STORE_MISMATCH also for a record that is damaged or was written
 * by something else: nothing is overwritten then.
 */
export function fileSystemStore(dir: string, files: Files = nodeFiles): ImageStore {
  assertPath('fileSystemStore', dir)
  const top = resolve(dir)
  const drafts = join(top, 'tmp')
  const objects = new Objects(join(top, 'objects'), drafts, files)
  const records = new Records(join(top, 'units'), drafts, files)
  let isMade = false

  const sync = (folder: string): Promise<void> => withFile(files.open(folder, FOLDER), syncFolder)

  /** The answer: whether the folder was missing. */
  async function makeFolder(folder: string): Promise<boolean> {
    try {
      await files.mkdir(folder, 0o700)
      return true
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
      return false
    }
  }

  async function prepare(): Promise<void> {
    if (!isMade) for (const made of await makeFolders(top, files.mkdir)) await sync(dirname(made))
    isMade = true
    try {
      const made: boolean[] = []
      for (const folder of [objects.path, records.path, drafts]) made.push(await makeFolder(folder))
      if (made.includes(true)) await sync(top)
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') throw cause
      throw new DuramenError('FOLDER_MISSING', `The image store ${top} is missing`, {
        cause,
        where: { file: top },
        retryable: true,
        hint: 'Mount the file system it is on, or make the folder again; work then goes on by itself.',
      })
    }
  }

  async function find(key: string, signal?: AbortSignal): Promise<StoredUnit | undefined> {
    const found = await records.last(key)
    if (found === undefined) return undefined
    for (const output of found.unit.outputs) await objects.verify(output, signal)
    return confirmed(found.unit)
  }

  /** I1: a unit that is there stays there: who published it may have died before the sync. */
  async function confirmed(unit: Manifest): Promise<StoredUnit> {
    await sync(records.path)
    return { ...unit, existed: true }
  }

  async function isWhole(unit: Manifest, signal?: AbortSignal): Promise<boolean> {
    try {
      for (const output of unit.outputs) await objects.verify(output, signal)
      return true
    } catch (error) {
      if (error instanceof DuramenError && error.code === 'STORE_MISMATCH') return false
      throw error
    }
  }

  async function put({ key, name, info, outputs }: StoreUnit, signal?: AbortSignal): Promise<StoredUnit> {
    const facts = outputs.map(({ code, size, sha256 }) => ({ code, size, sha256 }))
    for (;;) {
      const before = await records.last(key)
      if (before !== undefined && (await isWhole(before.unit, signal))) return await confirmed(before.unit)
      await store(outputs, signal)
      signal?.throwIfAborted()
      const nth = (before?.nth ?? 0) + 1
      const isPublished = await records.publish({ key, name, outputs: facts, info }, nth)
      const now = isPublished ? await records.last(key) : undefined
      if (now?.nth === nth) return { ...now.unit, existed: false }
      // somebody else was first: theirs counts, if it is whole
    }
  }

  /** I1: all of them are on the disk, as they were announced. */
  async function store(outputs: readonly StoreOutput[], signal?: AbortSignal): Promise<void> {
    const folders = new Set([objects.path, ...outputs.map(({ sha256 }) => dirname(objects.pathOf(sha256)))])
    const written: StoreOutput[] = []
    for (const output of outputs) {
      if (await objects.reuse(output, signal)) continue
      await makeFolder(dirname(objects.pathOf(output.sha256)))
      await objects.write(output, signal)
      written.push(output)
    }
    // All of them, also of objects that were there: who wrote those may have died before the sync.
    await Promise.all([...folders].map(sync))
    for (const output of written) await objects.verify(output, signal)
  }

  async function* keys(): AsyncGenerator<string> {
    try {
      await prepare()
      yield* await records.keys()
    } catch (error) {
      throw fileError(error, `list ${records.path}`, records.path)
    }
  }

  async function sweep(): Promise<number> {
    let removed = 0
    const removeOld = async (path: string): Promise<void> => {
      const stat = await files.lstat(path).catch(() => undefined)
      if (stat === undefined || Date.now() - stat.mtimeMs < ABANDONED) return
      await files.unlink(path)
      removed++
    }
    for (const name of await files.readdir(drafts)) if (isDraft(name)) await removeOld(join(drafts, name))
    const needed = new Set<string>()
    for await (const key of keys())
      for (const { sha256 } of (await records.last(key))?.unit.outputs ?? []) needed.add(sha256)
    for (const folder of await files.readdir(objects.path)) {
      for (const name of await files.readdir(join(objects.path, folder))) {
        if (isHash(name) && !needed.has(name)) await removeOld(join(objects.path, folder, name))
      }
    }
    return removed
  }

  async function read(key: string, index: number): Promise<AsyncIterable<Uint8Array>> {
    const output = (await records.last(key))?.unit.outputs[index]
    if (output !== undefined) return objects.stream(output)
    throw new DuramenError('FILE_GONE', `The store ${top} has no output ${index} of ${key}`, {
      where: { file: records.fileOf(key) },
      hint: 'Ask `find` what the unit holds.',
    })
  }

  const call = <A>(doing: string, run: () => Promise<A>, signal?: AbortSignal) =>
    task(
      `${doing} the image store ${top}`,
      top,
      async () => {
        await prepare()
        return await run()
      },
      signal,
    )

  return {
    put: (unit, signal) => call(`put ${unit.key} into`, () => put(unit, signal), signal),
    find: (key, signal) => call(`find ${key} in`, () => find(key, signal), signal),
    read: (key, index) => call(`read ${key} from`, () => read(key, index)),
    keys,
    sweep: () => call('sweep', sweep),
    close: () => task(`close ${top}`, top, async () => {}),
  }
}
