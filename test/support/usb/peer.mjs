// Another process on the same device: it does what it is asked to by messages, and can be killed in the middle of it.
import { spawn } from 'node:child_process'
import { setgid, setuid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { readerProtocol, usbDriver } from '../../../dist/adapters/usb/index.js'
import { answering, asking } from './asking.mjs'

const file = fileURLToPath(import.meta.url)
const quiet = { debug() {}, info() {}, warn() {}, error: console.error }

/**
 * `ask(name, given)`, see below; `kill` ends it at once. `user`: its uid. `within`: the command it is started by, such as
 * `['unshare', '-n']`.
 */
export function spawnPeer({ user = 0, within = [] } = {}) {
  const [command, ...args] = [...within, process.execPath, file, String(user)]
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const end = (signal) => {
    child.kill(signal)
    return ended
  }
  return { pid: child.pid, ask: asking(child), kill: () => end('SIGKILL'), stop: () => end('SIGTERM') }
}

/** The driver of the virtual reader. */
export const driverOf = (options = {}) =>
  usbDriver({ vendor: 0x1162, product: 0x2201, protocol: readerProtocol, poll: 200, ...options })

/** A device that is quick to find out, on a host with a journal in that folder. */
export async function openDevice(folder, { driver, ...options } = {}) {
  // loaded here: most peers only want the driver, and loading takes seconds in the guest
  const [{ openHost }, { fileJournal }, { createDevice }] = await Promise.all([
    import('../../../dist/index.js'),
    import('../../../dist/journal/index.js'),
    import('../../../dist/machines/device/index.js'),
  ])
  const host = await openHost({ journal: await fileJournal(folder), logger: quiet })
  const device = await createDevice(host, {
    driver: driverOf(driver),
    id: 'reader',
    poll: 200,
    accessEvery: 300,
    patience: 30_000,
    ladder: { first: 50, max: 500 },
    unavailable: { first: 500, max: 1000 },
    ...options,
  })
  return {
    device,
    async close() {
      await device.close()
      await host.close()
    },
  }
}

if (process.argv[1] === file) {
  const user = Number(process.argv[2])
  if (user > 0) {
    setgid(user)
    setuid(user)
  }
  const { signal } = new AbortController()
  const must = async (call) => {
    const answer = await call()
    if (answer._tag === 'Left') throw answer.left
    return answer.right
  }
  let driver
  let opened
  let begun
  const told = []
  const answers = {
    driver(options) {
      driver = driverOf(options)
    },
    access: () => must(driver.access(signal)),
    connect: () => must(driver.connect(signal)),
    free: () => must(driver.close()),
    watch() {
      driver.watch((change) => told.push(change))
    },
    told: () => told,
    async open({ folder, ...options }) {
      opened = await openDevice(folder, options)
    },
    diagnosis: () => opened.device.diagnosis(),
    /** Does not wait for its end; `end` does. */
    begin({ op, input }) {
      begun = opened.device.perform(op, input)
      begun.catch(() => {})
    },
    end: async () => (await begun)?.pixels?.length,
    close: () => opened.close(),
  }
  answering((name, given) => answers[name](given))
}
