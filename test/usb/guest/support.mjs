// What the cases of the guest share.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDevice } from '../../support/usb/peer.mjs'

/** Waits for what must come; `look` answers with something true. */
export async function until(what, look) {
  for (let tries = 0; tries < 500; tries++) {
    const seen = await look()
    if (seen) return seen
    await sleep(20)
  }
  throw new Error(`it has not come to pass within ten seconds: ${what}`)
}

/** Calls `use` with an empty folder. */
export async function withFolder(use) {
  const folder = await mkdtemp(join(tmpdir(), 'reader-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Calls `use` with a device that is online. */
export const withDevice = (use, options) =>
  withFolder(async (folder) => {
    const { device, close } = await openDevice(folder, options)
    try {
      await until('online', () => device.diagnosis().device_status === 'online')
      await use(device, folder)
    } finally {
      await close()
    }
  })

/** All states that the device comes through. */
export function statesOf(device) {
  const states = []
  device.status$.subscribe(({ device_status }) => {
    if (states.at(-1) !== device_status) states.push(device_status)
  })
  return states
}
