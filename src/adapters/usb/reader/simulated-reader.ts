// The invented reader, simulated in process: a link that behaves as the `usb` package does over a real bus, with the faults
// that real readers have, on demand. For examples, demos and tests without hardware.
import type { Access, DeviceIdentity } from '../../../ports/device.ts'
import { DuramenError, type DuramenErrorCode } from '../../../ports/errors.ts'
import type { ControlRequest, TransferOptions, UsbLink } from '../link.ts'
import { CAPTURE, encodePicture, HEIGHT, LED, STATUS, WIDTH } from './protocol.ts'

/** What goes wrong. Numbers count down with each transfer that it befalls; a halt stays until the device is recovered. */
export interface ReaderFaults {
  /** The bulk endpoint is halted until `clearHalt` or more. */
  halted?: boolean
  /** So many vendor requests are refused. */
  stallControl?: number
  /** So many bulk transfers fail on the bus. */
  cut?: number
  /** So many bulk transfers bring other bytes. */
  garbage?: number
  /** So many bulk transfers end early. */
  short?: number
  /** So many transfers get no answer. */
  silent?: number
  /** Nothing is answered until `reset` or more. */
  hung?: boolean
  /** So many of the next recoveries fail. */
  stubborn?: number
  /** Unplugged at the next bulk transfer. */
  unplugInTransfer?: boolean
  /** The node may not be opened. */
  denied?: boolean
  /** How long a transfer takes, ms. */
  delay?: number
}

const SERIAL = 'SIM-0001'

/** The reader behind `simulatedDriver`: unplug it, plug it in, give it faults. */
export class SimulatedReader implements UsbLink {
  readonly name: string
  readonly serial: string
  /** What goes wrong from now on; set them at will. */
  faults: ReaderFaults = {}
  led = false
  captures = 0
  /** How often it was opened. */
  opened = 0
  /** Handles that are open: never more than one, none once it is closed. */
  handles = 0
  #plugged = true
  #unread: Buffer[] = []
  readonly #listeners = new Set<(change: 'attached' | 'detached') => void>()
  readonly #pending = new Set<(error: DuramenError) => void>()

  constructor(serial = SERIAL) {
    this.serial = serial
    this.name = `simulated ${serial}`
  }

  /** How many watch it. */
  get listeners(): number {
    return this.#listeners.size
  }

  /** Pulls the plug: what is pending fails. */
  unplug(): void {
    if (!this.#plugged) return
    this.#plugged = false
    this.#turnOff()
    this.#fail('USB_GONE', 'was unplugged')
    for (const listener of [...this.#listeners]) listener('detached')
  }

  plug(): void {
    if (this.#plugged) return
    this.#plugged = true
    for (const listener of [...this.#listeners]) listener('attached')
  }

  async access(): Promise<Access> {
    if (!this.#plugged) return { state: 'absent' }
    const node = '/dev/bus/usb/000/001'
    if (!this.faults.denied) return { state: 'granted', node }
    return {
      state: 'denied',
      node,
      owner: 'root:root',
      mode: '0600',
      rule: 'SUBSYSTEM=="usb", MODE="0660", GROUP="plugdev"',
    }
  }

  async open(): Promise<DeviceIdentity> {
    await this.close()
    if (!this.#plugged) throw this.#error('USB_GONE', 'is not there')
    if (this.faults.denied) throw this.#error('USB_ACCESS', 'may not be opened')
    this.#recovered()
    this.handles++
    this.opened++
    return { name: 'simulated fingerprint reader', serial: this.serial, node: '/dev/bus/usb/000/001' }
  }

  async close(): Promise<void> {
    this.handles = 0
    this.#fail('USB_GONE', 'was closed')
  }

  async clearHalt(): Promise<void> {
    this.#check()
    this.#recovered()
    this.faults.halted = false
  }

  async reset(): Promise<void> {
    this.#check()
    this.#recovered()
    this.#turnOff()
    this.faults.halted = false
    this.faults.hung = false
  }

  async replug(): Promise<void> {
    await this.close()
    if (!this.#plugged) throw this.#error('USB_GONE', 'is not there')
    this.#turnOff()
    this.faults.halted = false
    this.faults.hung = false
  }

  watch(listener: (change: 'attached' | 'detached') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async controlIn({ request }: ControlRequest, _length: number, options: TransferOptions): Promise<Uint8Array> {
    await this.#control(options)
    if (request !== STATUS) throw this.#error('USB_STALL', 'refuses this request')
    const status = Buffer.from([1, this.led ? 1 : 0, 0, 0, 0, 0, 0, 0])
    status.writeUInt16LE(this.captures % 2 ** 16, 2)
    status.writeUInt16LE(WIDTH, 4)
    status.writeUInt16LE(HEIGHT, 6)
    return status
  }

  async controlOut(
    { request, value = 0 }: ControlRequest,
    _: Uint8Array | undefined,
    options: TransferOptions,
  ): Promise<void> {
    await this.#control(options)
    if (request === LED) this.led = value !== 0
    else if (request === CAPTURE) this.#unread = [encodePicture(value, pictureOf(++this.captures))]
    else throw this.#error('USB_STALL', 'refuses this request')
  }

  async bulkIn(_endpoint: number, length: number, options: TransferOptions): Promise<Uint8Array> {
    if (this.faults.unplugInTransfer) {
      this.faults.unplugInTransfer = false
      setImmediate(() => this.unplug())
      await this.#silence(options)
    }
    await this.#transfer(options)
    if (this.faults.halted) throw this.#error('USB_STALL', 'has halted its endpoint')
    if (this.#befalls('cut')) throw this.#error('USB_PROTOCOL', 'has lost a transfer')
    const message = this.#unread.shift()
    if (!message) return this.#silence(options)
    if (this.#befalls('short')) return message.subarray(0, message.length >> 1)
    if (this.#befalls('garbage')) return message.fill(0x55, 8)
    return message.subarray(0, length)
  }

  async bulkOut(_endpoint: number, _data: Uint8Array, options: TransferOptions): Promise<void> {
    await this.#transfer(options)
    if (this.faults.halted) throw this.#error('USB_STALL', 'has halted its endpoint')
  }

  async #control(options: TransferOptions): Promise<void> {
    await this.#transfer(options)
    if (this.#befalls('stallControl')) throw this.#error('USB_STALL', 'refuses a request')
  }

  /** Takes its time, or never ends. */
  async #transfer(options: TransferOptions): Promise<void> {
    this.#check()
    if (options.signal.aborted) throw this.#error('ABORTED', 'was called off')
    const { delay = 0, hung } = this.faults
    if (hung || this.#befalls('silent')) await this.#silence(options)
    if (delay > 0) await this.#wait(delay, options.signal)
    this.#check()
  }

  #silence({ signal, timeout = 5000 }: TransferOptions): Promise<never> {
    return this.#wait(timeout, signal).then(() => {
      throw this.#error('USB_TIMEOUT', 'does not answer')
    })
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer)
        this.#pending.delete(failed)
        signal.removeEventListener('abort', aborted)
        settle()
      }
      const failed = (error: DuramenError) => end(() => reject(error))
      const aborted = () => failed(this.#error('ABORTED', 'was called off'))
      const timer = setTimeout(() => end(resolve), ms)
      if (signal.aborted) return aborted()
      signal.addEventListener('abort', aborted)
      this.#pending.add(failed)
    })
  }

  #befalls(fault: 'stallControl' | 'cut' | 'garbage' | 'short' | 'silent' | 'stubborn'): boolean {
    const left = this.faults[fault] ?? 0
    if (left <= 0) return false
    this.faults[fault] = left - 1
    return true
  }

  #recovered(): void {
    if (this.#befalls('stubborn')) throw this.#error('IO', 'can not be recovered')
  }

  #turnOff(): void {
    this.led = false
    this.#unread = []
  }

  #check(): void {
    if (!this.#plugged) throw this.#error('USB_GONE', 'is not there')
    if (this.handles === 0) throw this.#error('USB_GONE', 'is not open')
  }

  #fail(code: DuramenErrorCode, what: string): void {
    for (const failed of [...this.#pending]) failed(this.#error(code, what))
  }

  #error(code: DuramenErrorCode, what: string): DuramenError {
    return new DuramenError(code, `The reader ${this.name} ${what}`, { retryable: true })
  }
}

/** How far the finger wanders from capture to capture, in pixels. */
const WANDERS = 40

let ridges: Uint8Array | undefined

/** The picture of the n-th capture: ridges around a point that wanders. */
export function pictureOf(capture: number): Uint8Array {
  ridges ??= ridgesOf(WIDTH + WANDERS)
  const pixels = new Uint8Array(WIDTH * HEIGHT)
  for (let y = 0; y < HEIGHT; y++) {
    const from = y * (WIDTH + WANDERS) + (capture % WANDERS)
    pixels.set(ridges.subarray(from, from + WIDTH), y * WIDTH)
  }
  return pixels
}

function ridgesOf(width: number): Uint8Array {
  const pixels = new Uint8Array(width * HEIGHT)
  for (let at = 0; at < pixels.length; at++) {
    const distance = Math.hypot((at % width) - width / 2, (Math.floor(at / width) - HEIGHT / 2) * 0.8)
    pixels[at] = 128 + 100 * Math.sin(distance / 3)
  }
  return pixels
}
