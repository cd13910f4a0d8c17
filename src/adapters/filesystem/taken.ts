// A file's way: from source/ to images_sources/, and from there to images_old/ or quarantined/.
//
// I1 only the content that was asked for is archived; a repeated call finds what it had moved before a crash.
// I5 names: see move.ts.
// I7 the syncs: a claim costs three (both folders, the file), archiving two (both folders), quarantine three (the
//    reason as well). An answer means that they are done, also where the move itself was done by an earlier call.

import { DuramenError } from '../../ports/errors.ts'
import type { ClaimedFile } from '../../ports/image.ts'
import type { Dir, Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import { digestOf, type Files, type Handle } from './files.ts'
import { changed, identityOf, inspectFile, openRegular } from './inspect.ts'
import { type Move, type MoveOptions, namesGiven } from './move.ts'
import { isVisible, numberedForReason, reasonOf } from './names.ts'
import { writeReason } from './reason.ts'

export function createTaken(files: Files, taken: Dir, move: Move) {
  /** What was read of the files that are here, so that archiving one need not read it again. */
  const known = new Map<string, { identity: string; sha256: string }>()

  async function inspect(folder: Folder, name: string, original: string, signal?: AbortSignal): Promise<ClaimedFile> {
    const { identity, ...found } = await inspectFile(files, folder, name, signal)
    known.set(name, { identity, sha256: found.sha256 })
    return { name, original, ...found }
  }

  async function isStill(folder: Folder, name: string, sha256: string): Promise<boolean> {
    const before = known.get(name)
    if (before?.identity === identityOf(await files.lstat(folder.at(name)))) return before.sha256 === sha256
    return (await inspect(folder, name, name)).sha256 === sha256
  }

  /** The file's name in `to`, if it was moved there before: the last one moved there with that content. */
  async function findMoved(to: Folder, name: string, sha256: string, naming: MoveOptions): Promise<string | undefined> {
    for (const candidate of await namesGiven(files, to, name, naming.names)) {
      if ((await inspectFile(files, to, candidate)).sha256 === sha256) return candidate
    }
    return undefined
  }

  async function moveOrFind(
    from: Folder,
    name: string,
    sha256: string,
    to: Folder,
    naming: MoveOptions,
    only: boolean,
  ) {
    try {
      if (only && !(await isStill(from, name, sha256))) throw changed(from.shown(name))
      return await move(from, name, to, naming)
    } catch (error) {
      const mayBeDone = errnoOf(error) === 'ENOENT' || (error instanceof DuramenError && error.code === 'FILE_CHANGED')
      const found = mayBeDone ? await findMoved(to, name, sha256, naming) : undefined
      if (found === undefined) throw error
      return found
    }
  }

  return {
    claim: (source: Dir, name: string, signal?: AbortSignal): Promise<ClaimedFile> =>
      source.use((from) =>
        taken.use(async (to) => {
          // First: one that stayed behind would call a later file of that name complete while it is being written.
          await files.unlink(from.at(`${name}.done`)).catch((error) => {
            if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENAMETOOLONG') throw error
          })
          const given = await move(from, name, to, { signal })
          await Promise.all([from.sync(), to.sync()])
          return await inspect(to, given, name, signal)
        }),
      ),

    /** Opens a file and makes sure that what is open has that content; the caller closes it. */
    open: async (folder: Folder, name: string, sha256: string, signal?: AbortSignal): Promise<Handle> => {
      const handle = await openRegular(files, folder.at(name), folder.shown(name))
      try {
        const before = known.get(name)
        const same = before?.identity === identityOf(await handle.stat())
        if ((same ? before?.sha256 : (await digestOf(handle, signal)).sha256) !== sha256)
          throw changed(folder.shown(name))
        return handle
      } catch (error) {
        await handle.close()
        throw error
      }
    },

    inspect: (name: string, signal?: AbortSignal): Promise<ClaimedFile> =>
      taken.use((folder) => inspect(folder, name, name, signal)),

    /** Names of the files that are not in `owned`, the one that was moved there first first. */
    unowned: (owned: readonly string[]): Promise<string[]> =>
      taken.use(async (folder) => {
        const names = new Set(owned)
        const entries = await files.readdir(folder.itself, { withFileTypes: true })
        const found: { name: string; moved: number }[] = []
        for (const entry of entries) {
          if (entry.isDirectory() || !isVisible(entry.name) || names.has(entry.name)) continue
          found.push({ name: entry.name, moved: (await files.lstat(folder.at(entry.name))).ctimeMs })
        }
        return found.sort((a, b) => a.moved - b.moved || (a.name < b.name ? -1 : 1)).map(({ name }) => name)
      }),

    archive: (name: string, sha256: string, old: Dir): Promise<string> =>
      taken.use((from) =>
        old.use(async (to) => {
          const given = await moveOrFind(from, name, sha256, to, {}, true)
          await Promise.all([from.sync(), to.sync()])
          known.delete(name)
          return given
        }),
      ),

    quarantine: (name: string, sha256: string, reason: string, quarantined: Dir): Promise<string> =>
      taken.use((from) =>
        quarantined.use(async (to) => {
          const naming = { names: numberedForReason, beside: reasonOf }
          // a hash that is not known says that the content does not matter
          const given = await moveOrFind(from, name, sha256, to, naming, sha256 !== '')
          await writeReason(files, move, to, given, { original: name, sha256, reason })
          await Promise.all([from.sync(), to.sync()])
          known.delete(name)
          return given
        }),
      ),
  }
}
