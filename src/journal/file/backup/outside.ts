// A folder that is given for copies of a journal: K7 one inside the journal's own is part of it, and may be removed with it.
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { badOption } from '../../../ports/given.ts'

/** Throws BAD_OPTION for a path, there or not, that is the folder itself or inside it; links are followed. */
export async function assertOutside(name: string, path: string, folder: string): Promise<void> {
  const [there, own] = [await realPathOf(resolve(path)), await realPathOf(resolve(folder))]
  const hint = 'Give a folder elsewhere, on another disk at best.'
  if (there === own) throw badOption(name, path, 'is the journal itself', hint)
  if (there.startsWith(own + sep)) throw badOption(name, path, "is inside the journal's folder", hint)
}

/** Of what is not there yet, as it will be. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error
    return join(await realPathOf(dirname(path)), basename(path))
  }
}
