// D5 The plug pulled by software: Linux takes a device off the bus and configures it anew when `authorized` is 0, then 1.
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fsError } from '../../journal/fs-error.ts'
import { DuramenError } from '../../ports/errors.ts'
import { gone } from './errors.ts'
import type { Found } from './select.ts'

/** How long it stays off, ms: firmware is to notice. */
const OFF = 200

/** Needs the right to write to /sys. Rejects with NO_PERMISSION, READ_ONLY, USB_GONE, IO. */
export async function replug(name: string, { place, address }: Found): Promise<void> {
  if (process.platform !== 'linux')
    throw new DuramenError('IO', `${name} can't be replugged by software on ${process.platform}`, {
      hint: 'Pull the plug by hand, and put it in again.',
    })
  const folder = `/sys/bus/usb/devices/${place}`
  const there = await readFile(`${folder}/devnum`, 'utf8').catch(() => '')
  if (Number(there) !== address) throw gone(name, 'was unplugged')
  const switchTo = (on: boolean) =>
    writeFile(`${folder}/authorized`, on ? '1' : '0').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENODEV') throw gone(name, 'was unplugged')
      throw forbidden(fsError(error, `replug ${name} by software`, { file: `${folder}/authorized` }))
    })
  await switchTo(false)
  await sleep(OFF) // not ended by a signal: it must not stay off
  await switchTo(true)
}

function forbidden(error: DuramenError): DuramenError {
  if (error.code !== 'NO_PERMISSION' && error.code !== 'READ_ONLY') return error
  return new DuramenError(error.code, error.message, {
    cause: error.cause,
    where: error.where,
    hint: 'A software replug needs the right to write there: run as root with /sys writable, or pull the plug by hand.',
  })
}
