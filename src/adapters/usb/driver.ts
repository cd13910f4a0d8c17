// A DeviceDriver made of a way to a device and the protocol that is spoken there.
//
// D5 Each rung ends with a device that is connected and made ready; whether it works is found out by a probe.
// D9 Of what a protocol throws that is no error, nothing is told: it may be a picture.
import { tryCatch } from 'fp-ts/lib/TaskEither.js'
import type { DeviceDriver, DeviceIdentity, Operations, Performed, Rung } from '../../ports/device.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { isAbortError } from '../../ports/thrown.ts'
import type { UsbLink } from './link.ts'
import type { UsbProtocol } from './protocol.ts'

export function driverOver<Ops extends Operations<Ops>>(link: UsbLink, protocol: UsbProtocol<Ops>): DeviceDriver<Ops> {
  const { name } = link
  const attempt = <A>(what: string, run: () => Promise<A>) =>
    tryCatch(run, (error) => (isDuramenError(error) ? error : failed(name, what, error)))
  const open = async (signal: AbortSignal) => {
    const identity = await link.open(signal)
    await protocol.prepare?.(link, signal)
    return identity
  }
  const rungs: Record<Rung, (signal: AbortSignal) => Promise<DeviceIdentity | undefined>> = {
    async clearHalt(signal) {
      await link.clearHalt(signal)
      return undefined
    },
    async reset(signal) {
      await link.reset(signal)
      await protocol.prepare?.(link, signal)
      return undefined
    },
    reopen: open, // closes what is open
    async replug(signal) {
      await link.replug(signal)
      return open(signal)
    },
  }
  return {
    name,
    operations: protocol.operations,
    access: (signal) => attempt('access', () => link.access(signal)),
    connect: (signal) => attempt('connect', () => open(signal)),
    perform: (op, input, given) =>
      attempt(
        op,
        (): Promise<Performed<Ops[typeof op]['output']>> => protocol.operations[op].perform(link, input, given),
      ),
    probe: (signal) => attempt('probe', () => protocol.probe(link, signal)),
    recover: (rung, signal) => attempt(rung, () => rungs[rung](signal)),
    watch: (listener) => link.watch(listener),
    close: () => attempt('close', () => link.close()),
  }
}

function failed(name: string, what: string, error: unknown): DuramenError {
  if (isAbortError(error)) return new DuramenError('ABORTED', `${name}: ${what} was called off`, { cause: error })
  return new DuramenError(
    'OPERATION_FAILED',
    `${name}: ${what} threw ${error instanceof Error ? `${error.name}: ${error.message}` : 'what is no error'}`,
    {
      cause: error,
      hint: 'The protocol has thrown it; the cause says where.',
    },
  )
}
