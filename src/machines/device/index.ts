// A device on a host: opens it, and answers for it.
//
// The rules: D1 to D7 in machine.ts, D8 in status.ts, D9 in desk.ts.
import { type Observable, Subject, takeUntil, takeWhile } from 'rxjs'
import type { DeviceDriver, Operations, OperationTraits } from '../../ports/device.ts'
import type { DuramenError } from '../../ports/errors.ts'
import { assertFunction, assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, openInstance, statusOf } from '../hosting.ts'
import { closed, Desk, type DeviceActor } from './desk.ts'
import { Driving } from './driving.ts'
import { deviceMachine } from './machine.ts'
import { devicesOf } from './opened.ts'
import { type DeviceOptions, limitsOf } from './options.ts'
import { type DeviceDiagnosis, diagnosisOf } from './status.ts'

export type * from '../../ports/device.ts'
export type { DeviceOptions } from './options.ts'
export type { DeviceDiagnosis, DeviceState } from './status.ts'
export type { DeviceContext, DeviceEvent, DeviceProblem, DeviceSettings, Done, Requested } from './types.ts'
export { deviceMachine }

/** Of one call. */
export interface PerformOptions {
  /** Takes the operation back: out of the queue, or aborts it (D1). Default: none. */
  signal?: AbortSignal
}

/** The input, where the operation takes one, then the options. */
type Given<Input> = [Input] extends [undefined]
  ? [input?: undefined, options?: PerformOptions]
  : undefined extends Input
    ? [input?: Input, options?: PerformOptions]
    : [input: Input, options?: PerformOptions]

/** `capture` of a device whose driver has it, and where it can do without an input. */
type Capture<Ops> = Ops extends { capture: { input: infer Input; output: infer Output } }
  ? undefined extends Input
    ? {
        /** The operation `capture`. Settles as `perform` does. */
        capture(options?: PerformOptions): Promise<Output>
      }
    : unknown
  : unknown

/** `led` of a device whose driver has it. */
type Led<Ops> = Ops extends { led: { input: boolean } }
  ? {
      /** The operation `led`. Settles as `perform` does. */
      led(on: boolean, options?: PerformOptions): Promise<void>
    }
  : unknown

/** A device that is open. */
export type Device<Ops extends Operations<Ops>> = OpenDevice<Ops> & Capture<Ops> & Led<Ops>

/** What every device has. */
export interface OpenDevice<Ops extends Operations<Ops>> {
  readonly id: string
  /** The machine of which it is the instance with its id: for `host.list`, history and the host's operators. */
  readonly machine: DurableMachine<typeof deviceMachine>
  /**
   * Performs an operation once those that were asked for before have been (D1). Faults that recovery may mend are mended
   * first; the caller only waits longer (D4).
   *
   * Rejects with the driver's error where recovery does not help, or the operation must not be repeated; DEVICE_UNAVAILABLE
   * or DEVICE_DENIED once it has waited for `patience`; ABORTED, QUEUE_FULL, DEVICE_CLOSED, BAD_OPTION; or what `actor.send` rejects with.
   */
  perform<K extends keyof Ops & string>(op: K, ...given: Given<Ops[K]['input']>): Promise<Ops[K]['output']>
  /** How it is doing (D8). */
  diagnosis(): DeviceDiagnosis
  /** The same now, and after each commit. Completes when the device or its host is closed. */
  readonly status$: Observable<DeviceDiagnosis>
  /** Somebody has seen to it: it is tried again at once, where it waits. */
  retry(): Promise<void>
  /**
   * Ends what is under way, answers all who wait with DEVICE_CLOSED, frees the device, also where its machine is paused or
   * parked: then only the records do not tell. May be called twice. Rejects with what freeing it, or the journal, answers.
   */
  close(): Promise<void>
}

/**
 * Opens a device, and keeps it working: it is refreshed before it wears out, recovered when it fails, waited for when it is
 * away. Resolves at once, also when the device is not there yet: `status$` tells. Close it before its host.
 *
 * Rejects with BAD_OPTION, BAD_ID, PAUSED or PARKED when an operator holds its instance, CLOSED when `host.stop` has ended it,
 * or what host and journal answer.
 */
export async function createDevice<Ops extends Operations<Ops>>(
  host: Host,
  options: DeviceOptions & { driver: DeviceDriver<Ops> },
): Promise<Device<Ops>> {
  assertHost('createDevice', host)
  const given: Partial<typeof options> = optionsGiven('createDevice', options)
  assertNames('createDevice', given, NAMES)
  const driver = driverGiven(given.driver)
  const limits = limitsOf(given)
  const id = given.id ?? driver.name
  if (typeof id !== 'string') throw badOption('id', id, 'is no text', "Give one like 'reader', or leave it out.")
  const devices = devicesOf(host)
  devices.take(id, driver)
  try {
    const { settings } = limits
    const actor = await openInstance(host, devices.machine, id, { name: id, settings }, `the device '${id}'`)
    const { clock } = host
    const driving = new Driving(driver, clock, limits.callTimeout, host.logger)
    const desk = new Desk(driving, clock, actor, limits)
    await actor.send({ type: 'OPEN', settings })
    devices.open(id, {
      desk,
      clock,
      logger: host.logger,
      pace: limits.pace,
      isOnline: () => diagnosisOf(actor.getSnapshot(), 0).device_status === 'online',
    })
    return handleOf<Ops>(host, actor, desk)
  } catch (error) {
    devices.free(id)
    throw error
  }
}

function handleOf<Ops extends Operations<Ops>>(host: Host, actor: DeviceActor, desk: Desk): Device<Ops> {
  const { id } = actor
  const devices = devicesOf(host)
  let closing: Promise<void> | undefined
  let leaving: Promise<void> | undefined
  const left = new Subject<void>()
  /** Nobody drives it from here any more. */
  const leave = () => {
    leaving ??= (async () => {
      listening.unsubscribe()
      desk.close()
      left.next()
      devices.leave(id)
      try {
        await desk.driving.close()
      } finally {
        devices.free(id)
      }
    })()
    return leaving
  }
  const listening = actor.subscribe({
    next: (snapshot) => desk.seen(snapshot),
    complete: () => leave().catch(({ message }) => host.logger.warn(`${id} could not be freed: ${message}`)),
  })
  const perform = async (op: string, input?: unknown, options?: PerformOptions) => {
    if (closing || leaving) throw closed(id)
    if (options === undefined && looksLikeOptions(input))
      throw badOption(
        'input',
        input,
        'looks like the options',
        'Give them after the input: perform(op, undefined, { signal }).',
      )
    const given: PerformOptions = optionsGiven('perform', options, 'Leave it out, or give { signal }.')
    assertNames('perform', given, ['signal'])
    const { signal } = given
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw badOption('signal', signal, 'is no AbortSignal', 'Give that of an AbortController.')
    return desk.perform(op, input, signal)
  }
  const diagnosis = () => diagnosisOf(actor.getSnapshot(), host.clock.now())
  const device = {
    id,
    machine: devices.machine,
    perform,
    diagnosis,
    status$: statusOf(actor, diagnosis).pipe(
      takeUntil(left),
      takeWhile(({ device_status }) => !leaving && device_status !== 'closed', true),
    ),
    async retry() {
      if (closing || leaving) throw closed(id)
      await actor.send({ type: 'RETRY' })
    },
    close() {
      closing ??= (async () => {
        try {
          await actor.send({ type: 'CLOSE' })
        } catch (error) {
          const { code } = error as DuramenError
          // else its host was closed before, or it takes nothing; it is freed all the same
          if (!leaving && code !== 'PAUSED' && code !== 'PARKED') throw error
        } finally {
          await leave()
        }
      })()
      return closing
    },
    capture: (options?: PerformOptions) => perform('capture', undefined, options),
    led: (on: boolean, options?: PerformOptions) => perform('led', on, options),
  }
  return device as unknown as Device<Ops>
}

/** Nobody knows at run time which input an operation takes; a signal that was taken for one would call off nothing. */
function looksLikeOptions(input: unknown): boolean {
  if (typeof input !== 'object' || input === null) return false
  const { signal } = input as PerformOptions
  return signal instanceof AbortSignal && Object.keys(input).length === 1
}

/** Throws BAD_OPTION. */
function driverGiven<Ops extends Operations<Ops>>(driver: DeviceDriver<Ops> | undefined): DeviceDriver<Ops> {
  const hint = 'Give one, e.g. usbDriver({ … }) of duramen/usb.'
  if (typeof driver !== 'object' || driver === null) throw badOption('driver', driver, 'is no driver', hint)
  for (const call of CALLS) assertFunction(`driver.${call}`, driver[call], hint)
  const { operations } = driver
  if (typeof operations !== 'object' || operations === null)
    throw badOption('driver.operations', operations, 'does not say what it can do', hint)
  for (const [op, traits] of Object.entries<OperationTraits>(operations)) {
    if (typeof traits?.repeatable !== 'boolean')
      throw badOption(`driver.operations.${op}`, traits, 'does not say whether it is repeatable', REPEATABLE)
    if (!(traits.timeout > 0))
      throw badOption(`driver.operations.${op}.timeout`, traits.timeout, 'is no time in ms', 'Give one like 5000.')
  }
  return driver
}

const REPEATABLE = 'Say repeatable: true where it may be performed twice, else false.'
const CALLS = ['access', 'connect', 'perform', 'probe', 'recover', 'watch', 'close'] as const

const NAMES: readonly string[] = [
  'driver',
  'id',
  'maxOperationsBeforeRefresh',
  'deviceHealthThreshold',
  'attempts',
  'patience',
  'queue',
  'callTimeout',
  'ladder',
  'unavailable',
  'poll',
  'accessEvery',
] satisfies (keyof DeviceOptions | 'driver')[]
