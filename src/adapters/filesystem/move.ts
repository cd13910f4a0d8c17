// Moves a file from one folder to another.
//
// I5 never onto another file: the new name is first reserved by a symbolic link that leads nowhere, which the system
//    makes only where the name is free, in whatever case or Unicode form; the rename then replaces our reservation.
//    Unlike link + unlink this takes whatever has the old name at that moment, needs no right to the file itself, and
//    never leaves a file in two folders. Where there are no symbolic links (FAT) a look comes before the rename.
// I7 rename, and the caller syncs both folders. Across devices: see crossing.ts.
import { crossTo, finishCrossing } from './crossing.ts'
import type { Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import type { Files } from './files.ts'
import { isNumberedFrom, numbered } from './names.ts'

/** Where a reservation points to: a place that cannot be, so that nobody can write through it. */
export const RESERVED = '.duramen/reserved/for-a-move'

export interface MoveOptions {
  /** The n-th name to try. Default `numbered`. */
  readonly names?: typeof numbered
  /** Another name that must be free beside it. */
  readonly beside?: (name: string) => string
  readonly signal?: AbortSignal | undefined
}

export type Move = (from: Folder, name: string, to: Folder, options?: MoveOptions) => Promise<string>

/**
 * Moves of one adapter, one after the other: two of them never try for the same name. The answer is the new name.
 * Rejects with the errno ENOENT when the file is gone.
 */
export function createMove(files: Files): Move {
  let last: Promise<unknown> = Promise.resolve()
  return (from, name, to, options = {}) => {
    const moved = last.then(() => move(files, from, name, to, options))
    last = moved.catch(() => {})
    return moved
  }
}

async function move(files: Files, from: Folder, name: string, to: Folder, options: MoveOptions): Promise<string> {
  const target = await reserve(files, name, to, options)
  try {
    await replace(files, from, name, to, target, options.signal)
    return target
  } catch (error) {
    // What cannot be released now is swept when the folders are opened.
    await release(files, to, target).catch(() => {})
    throw error
  }
}

async function replace(
  files: Files,
  from: Folder,
  name: string,
  to: Folder,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await files.rename(from.at(name), to.at(target))
  } catch (error) {
    if (errnoOf(error) === 'EXDEV') await crossTo(files, from, name, to, target, signal)
    else if (errnoOf(error) !== 'ENOENT' || !(await finishCrossing(files, name, to, target))) throw error
  }
}

/** Names are tried 1, 2, 4, 8 … and then between: a thousand files of one name are not a thousand tries. */
async function reserve(
  files: Files,
  name: string,
  to: Folder,
  { names = numbered, beside }: MoveOptions,
): Promise<string> {
  const isTaken = async (n: number): Promise<boolean> =>
    (await exists(files, to, names(name, n))) ||
    (beside !== undefined && (await exists(files, to, beside(names(name, n)))))
  for (;;) {
    let free = 1
    while (await isTaken(free)) free *= 2
    for (let taken = Math.floor(free / 2); free - taken > 1; ) {
      const middle = Math.floor((free + taken) / 2)
      if (await isTaken(middle)) taken = middle
      else free = middle
    }
    const target = names(name, free)
    try {
      await files.symlink(RESERVED, to.at(target))
      return target
    } catch (error) {
      const errno = errnoOf(error) ?? ''
      if (['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(errno)) return target
      if (errno !== 'EEXIST') throw error
    }
  }
}

async function release(files: Files, to: Folder, target: string): Promise<void> {
  const path = to.at(target)
  if ((await files.readlink(path).catch(() => '')) === RESERVED) await files.unlink(path)
}

async function exists(files: Files, folder: Folder, name: string): Promise<boolean> {
  try {
    await files.lstat(folder.at(name))
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Names in `folder` that a file called `name` may have been given by `move`, the last one moved first. */
export async function namesGiven(
  files: Files,
  folder: Folder,
  name: string,
  names: typeof numbered = numbered,
): Promise<string[]> {
  const found: { name: string; moved: number }[] = []
  for (const candidate of await files.readdir(folder.itself)) {
    if (!isNumberedFrom(name, candidate, names)) continue
    const stat = await files.lstat(folder.at(candidate)).catch(() => undefined)
    if (stat !== undefined) found.push({ name: candidate, moved: stat.ctimeMs })
  }
  return found.sort((a, b) => b.moved - a.moved).map((file) => file.name)
}
