// A folder with those above it, where they are not there yet (K12 0700).
//
// Not by mkdir's own `recursive`: that says ENOENT where a file system is read-only, and goes round for ever in a folder that
// takes none and answers ENOENT, as /proc.
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, sep } from 'node:path'

const MODE = 0o700

/** Resolves with those that were made, the outermost first. Rejects with what the system says. */
export async function makeFolders(folder: string, make: typeof mkdir = mkdir): Promise<string[]> {
  const made = () => make(folder, MODE).then(() => [folder], there)
  const there = async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    await stat(folder + sep) // a file is told as ENOTDIR
    return []
  }
  return made().catch(async (error) => {
    if (!wantsParent(folder, error)) throw error
    return [...(await makeFolders(dirname(folder), make)), ...(await made())]
  })
}

/** The same, at once. */
export function makeFoldersSync(folder: string): string[] {
  const made = () => {
    try {
      mkdirSync(folder, MODE)
      return [folder]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      statSync(folder + sep)
      return []
    }
  }
  try {
    return made()
  } catch (error) {
    if (!wantsParent(folder, error)) throw error
    return [...makeFoldersSync(dirname(folder)), ...made()]
  }
}

const wantsParent = (folder: string, error: unknown) =>
  (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder
