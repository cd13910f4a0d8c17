// What the package `usb` says, as codes. Its errors are plain ones whose message alone tells them apart, so this table is of
// words; test/usb/guest/wording.mjs provokes each of them, and fails when a new version of the package words them differently.
import { DuramenError, type DuramenErrorCode, isDuramenError } from '../../ports/errors.ts'
import { textOf } from '../../ports/thrown.ts'

interface Meaning {
  readonly says: RegExp
  readonly code: DuramenErrorCode
  readonly hint: string
}

/** The first one that fits counts. */
const MEANINGS: readonly Meaning[] = [
  {
    says: /\/sys\/bus\/usb\/devices\/ not found/,
    code: 'USB_ABSENT',
    hint: 'This machine has no USB, or the container has no /sys of it: load the kernel module usbcore, mount /sys.',
  },
  {
    says: /permission denied|\(errno (1|13)\)/,
    code: 'USB_ACCESS',
    hint: 'Give this user the device by a udev rule; a container needs device_cgroup_rules "c 189:* rmw", too.',
  },
  {
    says: /device not found \(errno 2\)|[dD]isconnected|\(errno 19\)/,
    code: 'USB_GONE',
    hint: 'Plug it in. Where it is plugged in: its node is missing; give the container all of /dev/bus/usb as a volume.',
  },
  {
    says: /is busy \(errno 16\)/,
    code: 'USB_BUSY',
    hint: 'Stop the other program that has claimed the interface.',
  },
  {
    says: /error: (Stall|endpoint stalled)/,
    code: 'USB_STALL',
    hint: 'The device has refused it; recovery clears the halt.',
  },
  {
    says: /error: (Cancelled|transfer was cancelled)/,
    code: 'USB_TIMEOUT',
    hint: 'The device does not answer; where this is its usual time, give the transfer a longer timeout.',
  },
  {
    says: /error: Fault/,
    code: 'USB_PROTOCOL',
    hint: 'A transfer was lost on the bus: look at cable, hub and power.',
  },
]

const OTHER = { code: 'IO', hint: 'The kernel log (dmesg) may say more.' } as const

/** The DuramenError for what a call of the package has thrown; `name` is the device's. */
export function usbError(cause: unknown, name: string): DuramenError {
  if (isDuramenError(cause)) return cause
  const text = textOf(cause)
  const { code, hint } = MEANINGS.find(({ says }) => says.test(text)) ?? OTHER
  return new DuramenError(code, `${name}: ${text}`, { cause, hint, retryable: true })
}

/** A device that is not there, by what is known of it. */
export const gone = (name: string, what: string) =>
  new DuramenError('USB_GONE', `${name} ${what}`, {
    retryable: true,
    hint: 'Plug it in; it goes on by itself then.',
  })
