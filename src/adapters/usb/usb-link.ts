// The way to a device over the package `usb`: found, locked, opened, claimed, watched, freed.
//
// D7 Once it was connected it is known by its serial number: another one of the same make is not taken for it.

import type { Lock } from '../../journal/lock.ts'
import type { Access, DeviceIdentity } from '../../ports/device.ts'
import type { DuramenError } from '../../ports/errors.ts'
import { accessTo, openOnce } from './access.ts'
import { type Connection, openConnection, type Part } from './connection.ts'
import { gone } from './errors.ts'
import { watchDevice } from './hotplug.ts'
import type { ControlRequest, TransferOptions, UsbLink } from './link.ts'
import { loadUsb } from './load.ts'
import { replug } from './replug.ts'
import { type Found, find, nameOf, type Wanted } from './select.ts'
import type { Transfers } from './transfers.ts'
import { isFree, type Locking, lockFile, takeTurn } from './turn.ts'

/** What usbDriver was given, with all defaults. */
export interface UsbLinkOptions {
  readonly wanted: Wanted
  readonly part: Part
  readonly locking: Locking
  readonly poll: number
}

export class PackageLink implements UsbLink {
  readonly name: string
  readonly #part: Part
  readonly #locking: Locking
  readonly #poll: number
  #wanted: Wanted
  #connection: Connection | undefined
  #lock: { readonly file: string; readonly held: Lock } | undefined
  /** The lock that another process had when this one came; whoever watches is told when it is free. */
  #waitsFor: string | undefined
  /** Opening and closing, one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor({ wanted, part, locking, poll }: UsbLinkOptions) {
    this.name = nameOf(wanted)
    this.#wanted = wanted
    this.#part = part
    this.#locking = locking
    this.#poll = poll
  }

  async access(): Promise<Access> {
    const found = await this.#find()
    if (!found) return { state: 'absent' }
    const access = await accessTo(found.identity.node, this.#wanted, this.#connection ? undefined : openOnce)
    // a device that is being unplugged loses its node first
    const missing = access.state === 'denied' && access.mode === null
    return missing && (await this.#find())?.handle !== found.handle ? { state: 'absent' } : access
  }

  open(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#alone(async () => {
      await this.#disconnect()
      signal.throwIfAborted()
      const found = await this.#find()
      if (!found) {
        await this.#unlock()
        throw gone(this.name, 'is not there')
      }
      await this.#take(found, signal)
      try {
        this.#connection = await openConnection(found, this.name, this.#part)
      } catch (error) {
        await this.#unlock()
        throw error
      }
      this.#wanted = { ...this.#wanted, serial: found.serial ?? this.#wanted.serial }
      return found.identity
    })
  }

  clearHalt(signal: AbortSignal): Promise<void> {
    return this.#transfers((transfers) => transfers.clearHalt(signal))
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#transfers((transfers) => transfers.reset(signal))
  }

  replug(signal: AbortSignal): Promise<void> {
    return this.#alone(async () => {
      await this.#disconnect()
      signal.throwIfAborted()
      const found = await this.#find()
      if (!found) throw gone(this.name, 'is not there')
      await replug(this.name, found)
    })
  }

  watch(listener: (change: 'attached' | 'detached') => void): () => void {
    const look = async () => {
      const waitsFor = this.#waitsFor
      if (waitsFor !== undefined && (await isFree(waitsFor))) {
        this.#waitsFor = undefined
        listener('attached') // to this process, at last
      }
      try {
        return (await this.#find())?.handle
      } catch (error) {
        if ((error as DuramenError).code === 'USB_ABSENT') return undefined
        throw error
      }
    }
    const connected = () => this.#connection?.found.handle
    return watchDevice({ load: loadUsb, look, connected, poll: this.#poll }, listener)
  }

  controlIn(request: ControlRequest, length: number, options: TransferOptions): Promise<Uint8Array> {
    return this.#transfers((transfers) => transfers.controlIn(request, length, options))
  }

  controlOut(request: ControlRequest, data: Uint8Array | undefined, options: TransferOptions): Promise<void> {
    return this.#transfers((transfers) => transfers.controlOut(request, data, options))
  }

  bulkIn(endpoint: number, length: number, options: TransferOptions): Promise<Uint8Array> {
    return this.#transfers((transfers) => transfers.bulkIn(endpoint, length, options))
  }

  bulkOut(endpoint: number, data: Uint8Array, options: TransferOptions): Promise<void> {
    return this.#transfers((transfers) => transfers.bulkOut(endpoint, data, options))
  }

  close(): Promise<void> {
    return this.#alone(async () => {
      try {
        await this.#disconnect()
      } finally {
        await this.#unlock()
      }
    })
  }

  async #find(): Promise<Found | undefined> {
    return find(await loadUsb(), this.#wanted)
  }

  async #transfers<A>(call: (transfers: Transfers) => Promise<A>): Promise<A> {
    if (!this.#connection) throw gone(this.name, 'is not open')
    return call(this.#connection.transfers)
  }

  /** The lock of another device that was meant before is given back. */
  async #take(found: Found, signal: AbortSignal): Promise<void> {
    const file = lockFile(this.#wanted, found, this.#locking.folder)
    if (this.#lock?.file === file) return
    await this.#unlock()
    this.#waitsFor = undefined
    try {
      this.#lock = { file, held: await takeTurn(file, this.name, this.#locking, signal) }
    } catch (error) {
      if (this.#locking.whenLocked === 'wait' && (error as DuramenError).code === 'LOCKED') this.#waitsFor = file
      throw error
    }
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
  }

  async #unlock(): Promise<void> {
    const lock = this.#lock
    this.#lock = undefined
    await lock?.held.release()
  }

  #alone<A>(call: () => Promise<A>): Promise<A> {
    const answer = this.#turn.then(call)
    this.#turn = answer.catch(() => {})
    return answer
  }
}
