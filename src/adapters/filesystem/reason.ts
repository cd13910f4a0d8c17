// The text file beside a quarantined one that says why it is there (I6). Written once: a repeated call finds it.
import { draftName } from './crossing.ts'
import type { Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import { type Files, READ, withFile, writeNew } from './files.ts'
import type { Move } from './move.ts'
import { numbered, reasonOf } from './names.ts'

/** Durable once the folder has been synced. */
export async function writeReason(
  files: Files,
  move: Move,
  folder: Folder,
  name: string,
  { original, sha256, reason }: { original: string; sha256: string; reason: string },
): Promise<void> {
  const text = `${reason}\n\nfile: ${JSON.stringify(original)}\nsha256: ${sha256}\n`
  if ((await textOf(files, folder.at(reasonOf(name)))) === text) return
  const draft = draftName()
  await writeNew(files, folder.at(draft), (handle) => handle.writeFile(text))
  await move(folder, draft, folder, { names: (_, n) => numbered(reasonOf(name), n) })
}

async function textOf(files: Files, path: string): Promise<string | undefined> {
  try {
    return await withFile(files.open(path, READ), (handle) => handle.readFile('utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return undefined
    throw error
  }
}
