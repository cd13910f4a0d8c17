// The invented reader (src/adapters/usb/reader/protocol.ts) as a device on a real USB stack, with the faults of the simulated
// one. Runs in a process of its own, see forkReader: the package under test blocks its event loop while it asks the device.
//
// What the kernel sends on its own tells a reset from a plug: both end with SET_CONFIGURATION, after which nothing is left of
// what the reader was told.
import { setTimeout as sleep } from 'node:timers/promises'
import { CAPTURE, encodePicture, HEIGHT, LED, STATUS, WIDTH } from '../../../dist/adapters/usb/reader/protocol.js'
import { pictureOf } from '../../../dist/adapters/usb/reader/simulated-reader.js'
import { UsbIpDevice } from './usbip.mjs'

const EPIPE = -32
const EPROTO = -71
/** Its endpoints. */
const BULK_IN = 1
const BULK_OUT = 2
const PACKET_BYTES = 512
const VENDOR_REQUEST = 0x40

export class VirtualReader {
  /** As ReaderFaults; counts go down with each transfer that it befalls. */
  faults = {}
  #options
  #device = new UsbIpDevice(this)
  #led = false
  #captures = 0
  #configuration = 0
  /** Messages, or what is left of one, that nobody has read. */
  #unread = []
  /** Reading transfers that wait for data, and the seqs of those whose answer is held back. */
  #reading = []
  #held = new Set()

  constructor(options = {}) {
    this.#options = { vendor: 0x1162, product: 0x2201, serial: 'VR-0001', interfaceClass: 0xff, ...options }
  }

  /** Plugged in, and as if it had just been. */
  async fresh() {
    if (!this.#device.plugged) await this.attach()
    this.#captures = 0
    this.faults = {}
    this.#forget()
  }

  async attach() {
    this.#captures = 0
    this.#forget()
    return this.#device.attach()
  }

  detach() {
    return this.#device.detach()
  }

  /** Off and on again, `times` times. */
  async cycle(ms) {
    await this.detach()
    await sleep(ms)
    return this.attach()
  }

  set(faults) {
    this.faults = faults
    this.#pump()
  }

  state() {
    return {
      led: this.#led,
      captures: this.#captures,
      reading: this.#reading.length,
      faults: this.faults,
      ...this.#device.where,
    }
  }

  submit(transfer) {
    if (transfer.endpoint === 0) this.#control(transfer)
    else if (transfer.dirIn) {
      this.#reading.push(transfer)
      this.#pump()
    } else if (this.faults.halted) this.#device.done(transfer, EPIPE)
    else {
      // what is written comes back
      this.#unread.push(transfer.data)
      this.#device.done(transfer, 0)
      this.#pump()
    }
  }

  unlink(seq) {
    const at = this.#reading.findIndex((transfer) => transfer.seq === seq)
    if (at >= 0) this.#reading.splice(at, 1)
    return at >= 0 || this.#held.delete(seq)
  }

  /** Hands what is unread to the transfers that wait. */
  #pump() {
    while (this.#reading.length > 0 && !this.faults.hung) {
      const transfer = this.#reading[0]
      if (this.faults.halted) this.#answer(transfer, EPIPE)
      else if (this.#unread.length === 0) return
      else if (this.faults.unplugInTransfer) {
        this.faults.unplugInTransfer = false
        void this.detach()
        return
      } else if (this.#befalls('cut')) this.#answer(transfer, EPROTO)
      else {
        const message = this.#unread.shift()
        const part = message.subarray(0, transfer.length)
        if (part.length < message.length) this.#unread.unshift(message.subarray(part.length))
        this.#answer(transfer, 0, part)
      }
    }
  }

  #answer(transfer, status, data) {
    this.#reading.shift()
    this.#device.done(transfer, status, data)
  }

  #control(transfer) {
    const [type, request] = transfer.setup
    const value = transfer.setup.readUInt16LE(2)
    const index = transfer.setup.readUInt16LE(4)
    const answer = (data) => this.#device.done(transfer, 0, data && Buffer.from(data).subarray(0, transfer.length))
    const refuse = () => this.#device.done(transfer, EPIPE)
    if ((type & 0x60) === VENDOR_REQUEST) {
      if (this.#befalls('stallControl')) return refuse()
      this.#held.add(transfer.seq)
      if (this.faults.hung || this.#befalls('silent')) return
      setTimeout(() => {
        if (this.#held.delete(transfer.seq)) this.#vendor(request, value, answer, refuse)
      }, this.faults.delay ?? 0)
      return
    }
    switch (request) {
      case 0x00: // GET_STATUS
        return answer([type === 0x82 && this.faults.halted ? 1 : 0, 0])
      case 0x01: // CLEAR_FEATURE, of a halt
        if (type === 2 && index === (BULK_IN | 0x80)) this.faults.halted = false
        return answer()
      case 0x06: {
        const descriptor = this.#descriptor(value >> 8, value & 0xff)
        return descriptor ? answer(descriptor) : refuse()
      }
      case 0x08: // GET_CONFIGURATION
        return answer([this.#configuration])
      case 0x09: // SET_CONFIGURATION
        this.#configuration = value & 0xff
        this.#forget()
        return answer()
      case 0x0a: // GET_INTERFACE
        return answer([0])
      case 0x03: // SET_FEATURE
      case 0x0b: // SET_INTERFACE
        return answer()
      default:
        return refuse()
    }
  }

  #vendor(request, value, answer, refuse) {
    if (request === LED) {
      this.#led = value !== 0
      answer()
    } else if (request === STATUS) {
      const status = Buffer.from([1, this.#led ? 1 : 0, 0, 0, 0, 0, 0, 0])
      status.writeUInt16LE(this.#captures % 2 ** 16, 2)
      status.writeUInt16LE(WIDTH, 4)
      status.writeUInt16LE(HEIGHT, 6)
      answer(status)
    } else if (request === CAPTURE) {
      const message = encodePicture(value, pictureOf(++this.#captures))
      this.#unread = []
      if (this.#befalls('mute')) return answer() // the picture never comes
      if (this.#befalls('garbage')) message.fill(0x55, 8)
      this.#unread.push(this.#befalls('short') ? message.subarray(0, message.length >> 1) : message)
      answer()
      this.#pump()
    } else refuse()
  }

  /** After a reset. */
  #forget() {
    this.#led = false
    this.#unread = []
    this.#reading = []
    this.#held.clear()
    this.faults.halted = false
    this.faults.hung = false
  }

  #befalls(fault) {
    const left = this.faults[fault] ?? 0
    if (left > 0) this.faults[fault] = left - 1
    return left > 0
  }

  #descriptor(type, index) {
    const { vendor, product, serial, interfaceClass } = this.#options
    const word = (value) => [value & 0xff, value >> 8]
    const bulk = (address) => [7, 5, address, 2, ...word(PACKET_BYTES), 0]
    if (type === 1)
      return [
        18,
        1,
        ...word(0x200),
        0,
        0,
        0,
        64,
        ...word(vendor),
        ...word(product),
        ...word(0x100),
        1,
        2,
        serial ? 3 : 0,
        1,
      ]
    if (type === 2) {
      const endpoints = [...bulk(BULK_IN | 0x80), ...bulk(BULK_OUT)]
      return [9, 2, ...word(32), 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 2, interfaceClass, 0, 0, 0, ...endpoints]
    }
    if (type !== 3) return null
    if (index === 0) return [4, 3, 9, 4]
    const text = [null, 'SecuGen (virtual)', 'Virtual fingerprint reader', serial][index]
    return text ? [text.length * 2 + 2, 3, ...Buffer.from(text, 'utf16le')] : null
  }
}
