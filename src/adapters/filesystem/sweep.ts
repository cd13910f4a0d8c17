// What a crash left unfinished in a folder that files are moved to.
import { arrivedAs, dropArrivedTwice, isDraft } from './crossing.ts'
import type { Folder } from './dir.ts'
import type { Files } from './files.ts'
import { type Move, RESERVED } from './move.ts'
import { numbered } from './names.ts'

/** Removes drafts and reservations, then finishes moves across devices (I1) that came from `from`. */
export async function sweep(files: Files, move: Move, from: Folder, to: Folder): Promise<void> {
  const entries = await files.readdir(to.itself, { withFileTypes: true })
  for (const entry of entries) {
    const path = to.at(entry.name)
    const isReservation = entry.isSymbolicLink() && (await files.readlink(path)) === RESERVED
    if (isReservation || isDraft(entry.name)) await files.unlink(path)
  }
  for (const { name } of entries) {
    const original = arrivedAs(name)
    if (original === undefined || (await dropArrivedTwice(files, from, original, to))) continue
    await move(to, name, to, { names: (_, n) => numbered(original, n) })
  }
}
