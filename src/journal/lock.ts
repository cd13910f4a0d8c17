// A lock file that one process holds: two writers on one journal or one pipeline would overwrite each other.
//
// K2 one history: a second holder is refused and told who the first one is.
// K10 leaves cleanly: what a dead process left behind is recognised and taken over, by one taker only.
//
// - A lock file is never half-written: it is written under another name, synced, and linked into place.
// - A lock is stale when its process is gone, when its pid belongs to another process by now, or when the machine was
//   started again. A lock of another host is never judged from here.
// - Who takes over a stale lock must first hold the lock that is named after that very lock's content. So of several
//   takers one replaces it, and a late one finds that the content has changed.
import { createHash, randomUUID } from 'node:crypto'
import { link, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { DuramenError } from '../ports/errors.ts'
import { procStat } from '../ports/proc-stat.ts'
import { contentOf, writeSynced } from './files.ts'
import { asDuramen, fsError, isUnlinkable, noHardLinks } from './fs-error.ts'

/** A held lock. */
export interface Lock {
  /** Of this holding of it: no other has had it, or will. */
  readonly id: string
  /** Gives the lock back; removes only its own lock file. May be called again, also after it has failed. */
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, in ticks since the machine started; tells a reused pid. Only where there is /proc. */
  readonly processStart?: string
  /** Changes with every start of the machine. Only where there is /proc. */
  readonly bootId?: string
  /** ISO time. */
  readonly since: string
  readonly id?: string
}

/**
 * Takes the lock `file`, whose folder must be there. Rejects with DuramenError: LOCKED when a living process (also
 * this one) or another host holds it, else NO_PERMISSION, READ_ONLY, FOLDER_MISSING, NO_SPACE or IO.
 */
export async function acquireLock(file: string): Promise<Lock> {
  const id = randomUUID()
  const content = JSON.stringify({ ...(await self()), id })
  const draft = `${file}.${randomUUID()}.tmp`
  try {
    await writeSynced(draft, content, 'wx')
    while (!(await place(draft, file))) {}
  } catch (error) {
    throw asDuramen(error, `take the lock ${file}`, { file })
  } finally {
    await unlink(draft).catch(() => {})
  }
  let released: Promise<void> | undefined
  return {
    id,
    release: () => {
      released ??= remove(file, content).catch((error) => {
        released = undefined
        throw error
      })
      return released
    },
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
export async function holderOf(file: string): Promise<(Holder & { readonly alive: boolean }) | undefined> {
  const found = await contentOf(file)
  const holder = found === undefined ? undefined : parse(found)
  return holder && { ...holder, alive: await holds(holder) }
}

/** Moves the draft to the lock's place. False: something changed meanwhile, look again. */
async function place(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (isUnlinkable(error)) throw noHardLinks(`The lock ${file} can't be taken`, file, error)
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const found = await contentOf(file)
  if (found === undefined) return false
  const holder = parse(found)
  if (holder !== undefined && (await holds(holder))) throw locked(file, holder)
  const right = await acquireLock(`${file}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`)
  try {
    if ((await contentOf(file)) !== found) return false
    await rename(draft, file)
    return true
  } finally {
    await right.release()
  }
}

async function self(): Promise<Holder> {
  const bootId = await told('/proc/sys/kernel/random/boot_id')
  const running = await processOf(process.pid)
  return {
    pid: process.pid,
    host: hostname(),
    ...(running === undefined ? {} : { processStart: running.start }),
    ...(bootId === undefined ? {} : { bootId: bootId.trim() }),
    since: new Date().toISOString(),
  }
}

async function holds(holder: Holder): Promise<boolean> {
  const me = await self()
  if (holder.host !== me.host) return true
  if (holder.bootId !== undefined && me.bootId !== undefined && holder.bootId !== me.bootId) return false
  if (!exists(holder.pid)) return false
  const running = await processOf(holder.pid)
  if (running === undefined) return true
  return !running.ended && (holder.processStart === undefined || holder.processStart === running.start)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What the system tells; undefined where there is no /proc, or it does not say. */
const told = (file: string) => contentOf(file).catch(() => undefined)

async function processOf(pid: number): Promise<{ start: string; ended: boolean } | undefined> {
  const stat = await told(`/proc/${pid}/stat`)
  const { start, ended } = procStat(stat ?? '')
  return start === undefined ? undefined : { start, ended }
}

/** Undefined for what acquireLock did not write: a file like that belongs to no one. */
function parse(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content)
    return Number.isSafeInteger(holder.pid) && holder.pid > 0 && typeof holder.host === 'string' ? holder : undefined
  } catch {
    return undefined
  }
}

function locked(file: string, { pid, host, since }: Holder): DuramenError {
  const here = host === hostname()
  return new DuramenError('LOCKED', `${file} is held by process ${pid} on ${host} since ${since}`, {
    where: { file, pid, host },
    hint: here
      ? `Stop process ${pid}, or use another folder; a lock that a crash left behind is taken over by itself.`
      : `If that process on ${host} has ended for certain, remove ${file} by hand.`,
  })
}

async function remove(file: string, content: string): Promise<void> {
  try {
    if ((await contentOf(file)) === content) await unlink(file)
  } catch (error) {
    throw fsError(error, `release the lock ${file}`, { file })
  }
}
