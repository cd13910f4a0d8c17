// A lock file that one process holds: two writers on one journal or one pipeline would overwrite each other.
//
// K2 one history: a second holder is refused and told who the first one is.
// K10 leaves cleanly: what a dead process left behind is recognised and taken over, by one taker only.
//
// - A lock file is never half-written: it is written under another name, synced, and linked into place.
// - Whether its holder lives: holder.ts. The socket by which that is known elsewhere is there before the lock, and stays
//   until after it (presence.ts).
// - Who takes over a stale lock must first hold the lock that is named after that very lock's content. So of several
//   takers one replaces it, and a late one finds that the content has changed.
import { createHash, randomUUID } from 'node:crypto'
import { link, rename, unlink } from 'node:fs/promises'
import { DuramenError } from '../ports/errors.ts'
import { contentOf, writeSynced } from './files.ts'
import { asDuramen, fsError, isUnlinkable, noHardLinks } from './fs-error.ts'
import { type Holder, holderIn, look, self, type Whereabouts } from './holder.ts'
import { type Presence, present, removeLeft } from './presence.ts'

/** A held lock. */
export interface Lock {
  /** Of this holding of it: no other has had it, or will. */
  readonly id: string
  /** Gives the lock back; removes only its own lock file. May be called again, also after it has failed. */
  release(): Promise<void>
}

/**
 * Takes the lock `file`, whose folder must be there. Rejects with DuramenError: LOCKED when a living process (also
 * this one) or another host holds it, else NO_PERMISSION, READ_ONLY, FOLDER_MISSING, NO_SPACE or IO.
 */
export async function acquireLock(file: string): Promise<Lock> {
  const id = randomUUID()
  let presence: Presence | undefined
  let content: string
  try {
    const me = await self()
    presence = me.pidNamespace === undefined ? undefined : await present(file)
    content = JSON.stringify({ ...me, ...(presence && { socket: presence.name }), id })
    await take(file, content)
  } catch (error) {
    await presence?.end()
    throw asDuramen(error, `take the lock ${file}`, { file })
  }
  await removeLeft(file)
  let released: Promise<void> | undefined
  return {
    id,
    release: () => {
      released ??= release().catch((error) => {
        released = undefined
        throw error
      })
      return released
    },
  }

  async function release(): Promise<void> {
    await remove(file, content).finally(() => presence?.end()) // a lock that can't be removed is nobody's all the same
  }
}

/**
 * The id of the lock `file` while a living process holds it, or one on another host, of which nobody here knows; undefined
 * while nobody does. Changes nothing. Rejects with what the file system says.
 */
export async function heldBy(file: string): Promise<string | undefined> {
  const holder = await holderOf(file)
  return holder?.alive ? (holder.id ?? '') : undefined
}

/** Who holds the lock `file`, or did when he died; undefined where nobody does. Changes nothing. Rejects like `heldBy`. */
export async function holderOf(
  file: string,
): Promise<(Holder & { readonly alive: boolean; readonly where: Whereabouts }) | undefined> {
  const found = await contentOf(file)
  const holder = found === undefined ? undefined : holderIn(found)
  return holder && { ...holder, ...(await look(file, holder)) }
}

async function take(file: string, content: string): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`
  try {
    await writeSynced(draft, content, 'wx')
    while (!(await place(draft, file, content))) {}
  } finally {
    await unlink(draft).catch(() => {})
  }
}

/** Moves the draft to the lock's place. False: something changed meanwhile, look again. */
async function place(draft: string, file: string, content: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (isUnlinkable(error)) throw noHardLinks(`The lock ${file} can't be taken`, file, error)
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const found = await contentOf(file)
  if (found === undefined) return false
  const holder = holderIn(found)
  if (holder !== undefined) {
    const { where, alive } = await look(file, holder)
    if (alive) throw locked(file, holder, where)
  }
  const right = `${file}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`
  await take(right, content)
  try {
    if ((await contentOf(file)) !== found) return false
    await rename(draft, file)
    return true
  } finally {
    await remove(right, content)
  }
}

/** A pid is only told to programs where it is that of a process they could look at. */
function locked(file: string, { pid, host, since, socket }: Holder, where: Whereabouts): DuramenError {
  const who = where === 'another container' ? `${pid} in another container (pid namespace)` : String(pid)
  const dead = `a lock that a crash left behind is taken over by itself.`
  const hints: Record<Whereabouts, string> = {
    here: `Stop process ${pid}, or use another folder; ${dead}`,
    'another host': `If that process on ${host} has ended for certain, remove ${file} by hand.`,
    'another container':
      socket === undefined
        ? `If that container has ended for certain, remove ${file} by hand: no socket could be made beside it, which would tell.`
        : `Stop that container, or use another folder; ${dead}`,
  }
  return new DuramenError('LOCKED', `${file} is held by process ${who} on ${host} since ${since}`, {
    where: where === 'another container' ? { file, host } : { file, pid, host },
    hint: hints[where],
  })
}

async function remove(file: string, content: string): Promise<void> {
  try {
    if ((await contentOf(file)) === content) await unlink(file)
  } catch (error) {
    throw fsError(error, `release the lock ${file}`, { file })
  }
}
