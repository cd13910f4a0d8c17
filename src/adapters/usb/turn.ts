// D1 Who drives a device: one process at a time, by a lock named after the device.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { acquireLock, heldBy, type Lock } from '../../journal/lock.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { type Found, hex, type Wanted } from './select.ts'

/** How long a connection waits for another process, ms; then it fails, and `watch` tells when the device is free. */
const WAIT = 5000
/** ms between two looks at the lock. */
const LOOK = 250

/** What happens where another process drives the device. */
export interface Locking {
  readonly folder: string
  readonly whenLocked: 'refuse' | 'wait'
}

/** A device without a serial number is known by where it is plugged in. */
export function lockFile({ vendor, product }: Wanted, { serial, place }: Found, folder: string): string {
  const which = createHash('sha256')
    .update(serial ?? place)
    .digest('hex')
    .slice(0, 16)
  return join(folder, `duramen-usb-${hex(vendor)}-${hex(product)}-${which}.lock`)
}

/** LOCKED, with the pid where it is one of here, or what `acquireLock` rejects with. */
export async function takeTurn(
  file: string,
  name: string,
  { whenLocked }: Locking,
  signal: AbortSignal,
): Promise<Lock> {
  const end = performance.now() + WAIT
  for (;;) {
    try {
      return await acquireLock(file)
    } catch (error) {
      if (isDuramenError(error) && error.code === 'NO_PERMISSION') throw await ofAnotherUser(file, name, error)
      if (!isDuramenError(error) || error.code !== 'LOCKED') throw error
      if (whenLocked === 'refuse' || performance.now() >= end || signal.aborted) throw driven(name, whenLocked, error)
    }
    await sleep(LOOK, undefined, { signal }).catch(() => {}) // the next look answers
  }
}

/** Nobody has it. */
export const isFree = async (file: string) => (await heldBy(file)) === undefined

/** A lock may be read by its own user only: nobody else can tell whether that one's process is alive. */
async function ofAnotherUser(file: string, name: string, error: DuramenError): Promise<DuramenError> {
  const owner = await stat(file).then(
    ({ uid }) => uid,
    () => undefined,
  )
  if (owner === undefined || owner === process.geteuid?.()) return error
  return new DuramenError('NO_PERMISSION', `${name} can't be locked: ${file} belongs to the user ${owner}`, {
    cause: error,
    where: { file },
    hint: `Where no process of that user drives the device, a killed one has left it behind: remove ${file} as that user or root.`,
  })
}

function driven(name: string, whenLocked: Locking['whenLocked'], { where, cause }: DuramenError): DuramenError {
  const who = where.pid === undefined ? 'a process in another container' : `process ${where.pid}`
  const stop = where.pid === undefined ? 'Stop that container' : `Stop process ${where.pid}`
  return new DuramenError('LOCKED', `${name} is driven by ${who} on ${where.host}`, {
    cause,
    where,
    hint:
      whenLocked === 'wait'
        ? `${stop}; it goes on by itself then.`
        : `${stop}, or wait: usbDriver({ whenLocked: 'wait' }).`,
  })
}
