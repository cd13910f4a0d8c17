// What the device machine asks of the world, made of the driver of the device with that name.
//
// D6 While it is online its permissions are looked at now and then, and while it is denied until they are there.
// D7 While it is away it is looked for until it is there.
import type { Clock } from '../../ports/clock.ts'
import type { Access, DeviceIdentity, Rung } from '../../ports/device.ts'
import type { Logger } from '../../ports/logger.ts'
import { sleep } from '../../ports/signal.ts'
import type { Desk } from './desk.ts'
import type { AnyDriver } from './driving.ts'
import { forTheJournal } from './faults.ts'
import type { Connected, DeviceEvent, Done, Requested } from './types.ts'

/** How often things are looked at, ms. */
export interface Pace {
  /** A device that is away, or denied. */
  readonly wait: number
  /** Permissions of one that is online. */
  readonly access: number
}

/** A device that this process has opened. */
export interface Opened {
  readonly desk: Desk
  readonly clock: Clock
  readonly logger: Logger
  readonly pace: Pace
  isOnline(): boolean
}

export function connect({ desk }: Opened, signal: AbortSignal): Promise<Connected> {
  return told(desk.driving.connect(signal), 'connect')
}

export function perform({ desk }: Opened, request: Requested, signal: AbortSignal): Promise<Done> {
  return desk.attempt(request, signal)
}

export function probe({ desk }: Opened, signal: AbortSignal): Promise<void> {
  return told(
    desk.busy(() => desk.driving.probe(signal)),
    'probe',
  )
}

export function refresh({ desk }: Opened, signal: AbortSignal): Promise<DeviceIdentity> {
  return told(
    desk.busy(() => desk.driving.refresh(signal)),
    'refresh',
  )
}

export function recover({ desk }: Opened, rung: Rung, signal: AbortSignal): Promise<DeviceIdentity | null> {
  return told(desk.driving.recover(rung, signal), rung)
}

/** Resolves once the device is there; connecting says what is wrong with it, if anything. */
export function arrive(opened: Opened, signal: AbortSignal): Promise<void> {
  return until(opened, ({ state }) => state !== 'absent', signal)
}

/** Resolves once the device may be opened, or is gone. */
export function permitted(opened: Opened, signal: AbortSignal): Promise<void> {
  return until(opened, ({ state }) => state !== 'denied', signal)
}

async function until(
  { desk, clock, pace }: Opened,
  over: (access: Access) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    // what can't be looked at now may be there the next time
    const access = await desk.driving.access(signal).catch(() => undefined)
    signal.throwIfAborted()
    if (access && over(access)) return
    await sleep(clock, pace.wait, signal)
  }
}

/** Tells the machine what happens to its device, for as long as the answer has not been called. */
export function watch({ desk, clock, logger, pace, isOnline }: Opened, tell: (event: DeviceEvent) => void): () => void {
  const ended = new AbortController()
  const unwatch = watched(desk.driving.driver, logger, (change) => {
    if (!ended.signal.aborted) tell({ type: change === 'attached' ? 'ATTACHED' : 'DETACHED' })
  })
  const look = async () => {
    while (!ended.signal.aborted) {
      await sleep(clock, pace.access, ended.signal)
      if (!isOnline()) continue
      const access = await desk.driving.access(ended.signal).catch(() => undefined)
      if (ended.signal.aborted || !isOnline()) continue
      if (access?.state === 'denied') tell({ type: 'ACCESS_LOST', access })
    }
  }
  look().catch(() => {}) // it was ended
  return () => {
    ended.abort()
    unwatch()
  }
}

/** A driver that can't tell when its device comes and goes does without: an operation that fails will find out. */
function watched(driver: AnyDriver, logger: Logger, listener: (change: 'attached' | 'detached') => void): () => void {
  try {
    return driver.watch(listener)
  } catch (error) {
    logger.warn(`${driver.name}: nobody tells when it comes and goes: ${forTheJournal(error, 'watch').message}`)
    return () => {}
  }
}

/** D9 */
async function told<A>(answer: Promise<A>, what: string): Promise<A> {
  try {
    return await answer
  } catch (error) {
    throw forTheJournal(error, what)
  }
}
