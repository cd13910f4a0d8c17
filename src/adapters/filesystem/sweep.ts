// What a crash left unfinished in a folder that files are moved to.
import { arrivedAs, dropArrivedTwice, isDraft } from './crossing.ts'
import type { Folder } from './dir.ts'
import type { Files } from './files.ts'
import { type Move, RESERVED } from './move.ts'
import { numbered } from './names.ts'

/** Removes reservations and drafts, and finishes moves across devices (I1) that came from `from`. */
export async function sweep(files: Files, move: Move, from: Folder, to: Folder): Promise<void> {
  for (const entry of await files.readdir(to.itself, { withFileTypes: true })) {
    const path = to.at(entry.name)
    const original = arrivedAs(entry.name)
    if (isDraft(entry.name)) await files.unlink(path)
    else if (entry.isSymbolicLink() && (await files.readlink(path)) === RESERVED) await files.unlink(path)
    else if (original !== undefined && !(await dropArrivedTwice(files, from, original, to))) {
      await move(to, entry.name, to, { names: (_, n) => numbered(original, n) })
    }
  }
}
