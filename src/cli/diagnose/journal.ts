// Whether the journal is sound. A small one is read as a whole; of a big one the ends of all its streams, as far as time
// allows: `duramen check` reads the rest. Changes nothing, also beside the process that writes.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkJournal, openJournal } from '../../journal/index.ts'
import { holderOf } from '../../journal/lock.ts'
import { isDuramenError } from '../../ports/errors.ts'
import { headOf, isPurge } from '../../runtime/listing.ts'
import { bytes, counted } from '../text.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Bytes that are read as a whole. */
const SMALL = 64e6
/** ms for the ends of its streams. */
const READING = 4_000

/** A process that has the journal open for writing, as the lock tells. */
export interface Writer {
  readonly pid: number
  readonly host: string
  /** On this machine, and not in a container of its own. Else its pid is that of another process here. */
  readonly here: boolean
}

/** Undefined where none has. */
export async function writerOf(dir: string): Promise<Writer | undefined> {
  const holder = await holderOf(join(dir, 'lock')).catch(() => undefined)
  return holder?.alive ? { pid: holder.pid, host: holder.host, here: holder.where === 'here' } : undefined
}

export async function journal(dir: string, signal: AbortSignal): Promise<Finding[]> {
  const size = await bytesOf(dir)
  if (size === undefined) return [ok('journal', `there is none in ${dir} yet`)]
  const check = `duramen check ${JSON.stringify(dir)}`
  try {
    return await looked(dir, size, check, signal)
  } catch (error) {
    if (signal.aborted) return [warn('journal', `${dir}, ${bytes(size)}, was not read to its end in time`, check)]
    if (!isDuramenError(error)) throw error
    if (error.code === 'JOURNAL_DAMAGED') return [fail('journal', error.message, check)]
    if (error.code === 'CODEC_MISSING')
      return [ok('journal', `${dir}, ${bytes(size)}, encrypted: ${check} needs no key`)]
    return [fail('journal', error.message, error.hint ?? check)]
  }
}

async function looked(dir: string, size: number, check: string, signal: AbortSignal): Promise<Finding[]> {
  if (size > SMALL) {
    const { instances, parked, all } = await ends(dir, signal)
    const many = `${all ? '' : 'more than '}${counted(instances, 'instance')}, ${bytes(size)}`
    return [ok('journal', `${dir} opens: ${many}; ${check} reads all of it`), ...parkedFindings(dir, parked)]
  }
  const found = await whole(dir, check, signal)
  if (found.level !== 'ok') return [found]
  const parked = await ends(dir, signal).then(
    (seen) => seen.parked,
    (error) => {
      if (isDuramenError(error) && error.code === 'CODEC_MISSING') return 0 // it is sound, and what it says is not for us
      throw error
    },
  )
  return [found, ...parkedFindings(dir, parked)]
}

const parkedFindings = (dir: string, parked: number): Finding[] =>
  parked === 0
    ? []
    : [
        warn(
          'journal',
          `${counted(parked, 'instance')} parked, until somebody sees to it`,
          `duramen list ${JSON.stringify(dir)} --status parked`,
        ),
      ]

/** Of its segments; undefined where there is none. */
async function bytesOf(dir: string): Promise<number | undefined> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const segments = names.filter((name) => /^\d{16}\.log$/.test(name))
  if (segments.length === 0) return undefined
  // one that is gone was given up by the writer meanwhile
  const sizes = await Promise.all(
    segments.map((name) =>
      stat(join(dir, name))
        .then((s) => s.size)
        .catch(() => 0),
    ),
  )
  return sizes.reduce((sum, one) => sum + one)
}

async function whole(dir: string, check: string, signal: AbortSignal): Promise<Finding> {
  const { sound, damages, usage } = await checkJournal(dir, { onProgress: () => signal.throwIfAborted() })
  if (sound) {
    return ok(
      'journal',
      `${dir} is sound: ${counted(usage.records, 'record')} of ${counted(usage.streams, 'stream')}, ${bytes(usage.bytes)}`,
    )
  }
  const { file, offset, what } = damages[0]!
  return fail(
    'journal',
    `${dir} is DAMAGED in ${counted(damages.length, 'place')}, first ${file} at byte ${offset}: ${what}`,
    check,
  )
}

/** Of its instances, as far as time allows. */
async function ends(dir: string, signal: AbortSignal) {
  const reader = await openJournal(dir, { readOnly: true })
  const until = performance.now() + READING
  const seen = { instances: 0, parked: 0, all: true }
  try {
    for await (const record of reader.heads()) {
      if (signal.aborted || performance.now() > until) {
        seen.all = false
        break
      }
      const head = headOf(record)
      if (head === undefined || isPurge(head)) continue
      seen.instances++
      if (head.header.held === 'parked' || head.header.problem !== undefined) seen.parked++
    }
  } finally {
    await reader.close()()
  }
  return seen
}
