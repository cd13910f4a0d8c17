// Transfers of an open device, one at a time, each with a limit and an end.
//
// The package can't cancel a transfer, takes one at a time for an endpoint, and drops data where a transfer is cut off or asks
// for no whole packets. So:
// - Reading waits for its first packet in short slices, each a transfer of one packet: that one comes whole or not at all, so
//   nothing is lost where a slice ends, and a signal is heard within one. What follows is read at once: the device is sending.
// - A request, and writing, must not be done twice: they are one transfer with the whole limit.
// - A transfer that goes on for SETTLE after its signal has fired is ended by a reset of the device. It has forgotten what it
//   was told then, so every transfer fails from there on until it has been reset or opened by whoever makes it ready again.

import { setTimeout as sleep } from 'node:timers/promises'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { badOption } from '../../ports/given.ts'
import { gone, usbError } from './errors.ts'
import type { ControlRequest, TransferOptions, UsbIo } from './link.ts'
import type { Device } from './load.ts'

/** How long one transfer waits for the first packet, ms. */
const SLICE = 100
/** How long a transfer may go on after its signal has fired, ms. */
const SETTLE = 250
const TIMEOUT = 5000
/** Most bytes of one transfer: the kernel lends 16 MiB to all devices together. */
const PIECE = 1 << 20

/** The endpoints of the interface that is claimed, and the sizes of their packets. */
export interface Endpoint {
  readonly number: number
  readonly direction: 'in' | 'out'
  readonly packetSize: number
}

export class Transfers implements UsbIo {
  readonly #device: Device
  readonly #name: string
  readonly #endpoints: readonly Endpoint[]
  readonly #closing = new AbortController()
  /** Ends when what is under way has. */
  #turn: Promise<unknown> = Promise.resolve()
  #forgetful = false

  constructor(device: Device, name: string, endpoints: readonly Endpoint[]) {
    this.#device = device
    this.#name = name
    this.#endpoints = endpoints
  }

  controlIn(request: ControlRequest, length: number, options: TransferOptions): Promise<Uint8Array> {
    return this.#alone(options.signal, async (signal) => {
      const ms = limitOf(options)
      assertWhole('length', length, 0xffff)
      return bytesOf(await this.#whole(signal, this.#device.controlTransferIn(setupOf(request), length, ms)))
    })
  }

  async controlOut(request: ControlRequest, data: Uint8Array | undefined, options: TransferOptions): Promise<void> {
    await this.#alone(options.signal, (signal) => {
      const given = data ?? new Uint8Array(0)
      return this.#whole(signal, this.#device.controlTransferOut(setupOf(request), given, limitOf(options)))
    })
  }

  bulkIn(endpoint: number, length: number, options: TransferOptions): Promise<Uint8Array> {
    return this.#alone(options.signal, async (signal) => {
      const packet = this.#packetSize('in', endpoint)
      if (!Number.isSafeInteger(length) || length < 1)
        throw badOption('length', length, 'is no number of bytes', 'Give a whole number from 1.')
      const end = performance.now() + limitOf(options)
      const parts = [await this.#firstPacket(endpoint, packet, end, signal)]
      let got = parts[0]!.length
      for (let wanted = packet; parts.at(-1)!.length === wanted && got < length; got += parts.at(-1)!.length) {
        wanted = Math.min(wholePackets(length - got, packet), wholePackets(PIECE, packet))
        parts.push(bytesOf(await this.#whole(signal, this.#device.transferIn(endpoint, wanted, left(end)))))
      }
      if (got > length) throw tooMuch(this.#name, length)
      return Buffer.concat(parts)
    })
  }

  async bulkOut(endpoint: number, data: Uint8Array, options: TransferOptions): Promise<void> {
    await this.#alone(options.signal, (signal) => {
      this.#packetSize('out', endpoint)
      return this.#whole(signal, this.#device.transferOut(endpoint, data, limitOf(options)))
    })
  }

  clearHalt(signal: AbortSignal): Promise<void> {
    return this.#alone(signal, async () => {
      for (const { direction, number } of this.#endpoints) await this.#device.clearHalt(direction, number)
    })
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#alone(signal, () => this.#device.reset(), true)
  }

  /** Ends what is pending. Resolves once nothing is: only then may the device be closed. */
  async end(): Promise<void> {
    this.#closing.abort()
    await this.#turn
  }

  /** One call after the other; the package throws when it is called while another call is under way. */
  async #alone<A>(given: AbortSignal, call: (signal: AbortSignal) => Promise<A>, mends = false): Promise<A> {
    const before = this.#turn
    let done = () => {}
    this.#turn = new Promise<void>((resolve) => (done = resolve))
    const signal = AbortSignal.any([given, this.#closing.signal])
    try {
      await before
      signal.throwIfAborted()
      if (this.#forgetful && !mends) throw forgetful(this.#name)
      const answer = await call(signal)
      if (mends) this.#forgetful = false
      return answer
    } catch (error) {
      if (this.#closing.signal.aborted) throw gone(this.#name, 'was closed')
      if (given.aborted) throw calledOff(this.#name, given)
      throw usbError(error, this.#name)
    } finally {
      done()
    }
  }

  async #firstPacket(endpoint: number, packet: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      try {
        return bytesOf(await this.#device.transferIn(endpoint, packet, Math.min(SLICE, left(end))))
      } catch (error) {
        const { code } = usbError(error, this.#name)
        if (signal.aborted || code !== 'USB_TIMEOUT' || performance.now() >= end) throw error
      }
    }
  }

  /** A transfer whose signal is heard: it is ended by a reset where it does not end by itself. */
  async #whole<A>(signal: AbortSignal, transfer: Promise<A>): Promise<A> {
    const settled = new AbortController()
    let resetting: Promise<void> | undefined
    const reset = async () => {
      await sleep(SETTLE, undefined, { signal: settled.signal })
      this.#forgetful = true
      await this.#device.reset()
    }
    const aborted = () => {
      resetting = reset().catch(() => {}) // it has settled, or is gone
    }
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    try {
      return await transfer
    } finally {
      settled.abort()
      signal.removeEventListener('abort', aborted)
      await resetting
    }
  }

  #packetSize(direction: 'in' | 'out', number: number): number {
    const found = this.#endpoints.find((endpoint) => endpoint.number === number && endpoint.direction === direction)
    if (found) return found.packetSize
    const there = this.#endpoints.map(({ number, direction }) => `${number} ${direction}`).join(', ')
    throw new DuramenError('BAD_OPTION', `${this.#name} has no endpoint ${number} ${direction}`, {
      hint: `The interface has ${there || 'none'}.`,
    })
  }
}

/** The package takes Infinity, and what is too much for it, for zero. */
const limitOf = ({ timeout = TIMEOUT }: TransferOptions) => (timeout >= 1 ? Math.min(timeout, LONGEST_TIMER) : 1)
/** Zero would end it at once. */
const left = (end: number) => Math.max(1, Math.ceil(end - performance.now()))
const wholePackets = (length: number, packet: number) => Math.ceil(length / packet) * packet

/** Throws BAD_OPTION: the package throws words that look like a fault of the device. */
function setupOf({ request, value = 0, index = 0 }: ControlRequest): USBControlTransferParameters {
  assertWhole('request', request, 0xff)
  assertWhole('value', value, 0xffff)
  assertWhole('index', index, 0xffff)
  return { requestType: 'vendor', recipient: 'device', request, value, index }
}

function assertWhole(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw badOption(name, value, 'is out of range', `Give a whole number from 0 to ${max}.`)
}

function bytesOf({ data }: USBInTransferResult): Uint8Array {
  return data ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(0)
}

const tooMuch = (name: string, length: number) =>
  new DuramenError('USB_PROTOCOL', `${name} has sent more than the ${length} bytes that were asked for`, {
    retryable: true,
    hint: 'Ask for as much as its longest message has.',
  })

const forgetful = (name: string) =>
  new DuramenError('IO', `${name} was reset to end a transfer that did not end by itself`, {
    retryable: true,
    hint: 'Reset it, or connect anew: it has forgotten its settings.',
  })

function calledOff(name: string, { reason }: AbortSignal): DuramenError {
  if (isDuramenError(reason)) return reason
  return new DuramenError('ABORTED', `a transfer of ${name} was called off`, { cause: reason })
}
