// The package `usb`, the kernel's USB stack and a virtual reader, in a guest: test/usb/guest. What it says of each case is
// made a result here. Takes a minute or two, and qemu (test/support/usb/boot-guest.sh gets it): only when REQUIRE_USB=1.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

interface Result {
  readonly name: string
  readonly ms: number
  readonly error?: string
}

interface Run {
  /** How many cases there are. */
  readonly cases: number
  readonly results: readonly Result[]
  readonly status: number | null
  /** What it has said besides. */
  readonly said: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const boot = fileURLToPath(new URL('../support/usb/boot-guest.sh', import.meta.url))
const required = process.env.REQUIRE_USB === '1'

/** The guest's own limit, s; a machine that is busy with other things is slow. */
const LIMIT = 900

async function runGuest(): Promise<Run> {
  const guest = spawn(boot, ['node', 'test/usb/guest/main.mjs'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TIMEOUT: String(LIMIT) },
  })
  const ended = once(guest, 'exit')
  const results: Result[] = []
  const said: string[] = []
  let cases = 0
  for await (const line of createInterface({ input: guest.stdout })) {
    const parsed = parse(line)
    if (parsed?.name !== undefined) results.push(parsed as Result)
    else if (parsed?.cases !== undefined) cases = parsed.cases
    else said.push(line)
  }
  const [status] = await ended
  return { cases, results, status, said: said.join('\n') }
}

function parse(line: string): (Partial<Result> & { cases?: number }) | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

if (!required) test.skip('USB on a real stack, in a guest: only with REQUIRE_USB=1 (npm run test:usb)', () => {})
else {
  const { cases, results, status, said } = await runGuest()
  for (const { name, error } of results)
    test(name, () => {
      if (error !== undefined) throw new Error(error)
    })
  test('the guest has run every case, and has ended well', () => {
    expect({ run: results.length, status }, said).toEqual({ run: cases, status: 0 })
    expect(cases).toBeGreaterThan(40)
  })
}
