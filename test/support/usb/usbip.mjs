// A USB device made in this process: Linux' vhci_hcd takes one over a socket that speaks USB/IP. Needs root and the kernel
// module vhci-hcd. What the device is and does is its `handler`'s business.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const VHCI = '/sys/devices/platform/vhci_hcd.0'
const HIGH_SPEED = 3
const HEADER_BYTES = 48
/** A port of vhci without a device. */
const FREE = 4
const SUBMIT = 1
const UNLINK = 2
const SUBMITTED = 3
const UNLINKED = 4
const ECONNRESET = -104

export class UsbIpDevice {
  /** `submit(transfer)`: to be answered by `done`, some time; `unlink(seq)`: true where that had not been answered. */
  #handler
  #port = null
  #socket = null
  #buffer = Buffer.alloc(0)
  /** Where it is plugged in: `{ busid, node }`. */
  where = null

  constructor(handler) {
    this.#handler = handler
  }

  get plugged() {
    return this.#port !== null
  }

  /** Plugs it in; resolves once its node is there, and the rules of udev were applied. */
  async attach() {
    if (this.#port !== null) throw new Error('already attached')
    const server = net.createServer({ noDelay: true })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const accepted = new Promise((resolve) => server.once('connection', resolve))
    const client = net.connect({ port: server.address().port, host: '127.0.0.1', noDelay: true })
    client.pause()
    await new Promise((resolve) => client.once('connect', resolve))
    const socket = await accepted
    server.close()
    const { port } = ports().find(({ hub, status }) => hub === 'hs' && status === FREE)
    writeFileSync(`${VHCI}/attach`, `${port} ${client._handle.fd} ${(1 << 16) | 2} ${HIGH_SPEED}`)
    client.destroy() // the kernel keeps its own reference to the socket
    this.#port = port
    this.#socket = socket
    this.#buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#port = this.#socket = null
    })
    socket.on('data', (data) => {
      this.#buffer = Buffer.concat([this.#buffer, data])
      this.#parse()
    })
    this.where = await enumerated(port)
    return this.where
  }

  /** Pulls the plug. */
  async detach() {
    const port = this.#port
    if (port === null) return
    this.#port = null
    writeFileSync(`${VHCI}/detach`, String(port))
    while (ports().find((p) => p.port === port)?.status !== FREE) await sleep(10)
    this.#socket?.destroy()
    this.#socket = null
  }

  done({ seq, dirIn, length }, status, data) {
    const actual = dirIn ? (data?.length ?? 0) : status ? 0 : length
    this.#reply(SUBMITTED, seq, status, actual, dirIn ? data : undefined)
  }

  #parse() {
    while (this.#buffer.length >= HEADER_BYTES) {
      const header = this.#buffer
      const [command, seq] = [header.readUInt32BE(0), header.readUInt32BE(4)]
      if (command === UNLINK) {
        this.#buffer = header.subarray(HEADER_BYTES)
        const open = this.#handler.unlink(header.readUInt32BE(20))
        this.#reply(UNLINKED, seq, open ? ECONNRESET : 0, 0)
        continue
      }
      if (command !== SUBMIT) throw new Error(`the kernel has sent command ${command}`)
      const dirIn = header.readUInt32BE(12) === 1
      const length = header.readInt32BE(24)
      const end = HEADER_BYTES + (dirIn ? 0 : length)
      if (header.length < end) return
      this.#buffer = header.subarray(end)
      const setup = header.subarray(40, 48)
      const data = Buffer.from(header.subarray(HEADER_BYTES, end))
      this.#handler.submit({ seq, dirIn, endpoint: header.readUInt32BE(16), length, setup, data })
    }
  }

  #reply(command, seq, status, actual, data) {
    if (!this.#socket || this.#socket.destroyed) return
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32BE(command, 0)
    header.writeUInt32BE(seq, 4)
    header.writeInt32BE(status, 20)
    header.writeInt32BE(actual, 24)
    this.#socket.write(data?.length ? Buffer.concat([header, data]) : header)
  }
}

async function enumerated(port) {
  for (let tries = 0; tries < 1000; tries++) {
    const { busid } = ports().find((p) => p.port === port)
    const folder = `/sys/bus/usb/devices/${busid}`
    if (busid !== '0-0' && existsSync(`${folder}:1.0`)) {
      const read = (name) => readFileSync(`${folder}/${name}`, 'utf8').trim()
      const node = `/dev/bus/usb/${read('busnum').padStart(3, '0')}/${read('devnum').padStart(3, '0')}`
      if (existsSync(node) && existsSync(`/run/udev/data/c${read('dev')}`)) return { busid, node }
    }
    await sleep(20)
  }
  throw new Error('the kernel has not enumerated the device')
}

function ports() {
  const lines = readFileSync(`${VHCI}/status`, 'utf8').trim().split('\n').slice(1)
  return lines
    .map((line) => line.trim().split(/\s+/))
    .map(([hub, port, status, , , , busid]) => ({ hub, port: Number(port), status: Number(status), busid }))
}
