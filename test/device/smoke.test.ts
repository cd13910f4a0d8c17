import { left, right } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { DuramenError, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { createDevice } from '../../src/machines/device/index.ts'
import type { DeviceDriver } from '../../src/ports/device.ts'

type Ops = { capture: { input: undefined; output: Uint8Array }; led: { input: boolean; output: undefined } }
const fail: string[] = []
const log: string[] = []
const driver: DeviceDriver<Ops> = {
  name: 'sim',
  operations: { capture: { repeatable: true, timeout: 1000 }, led: { repeatable: true, setting: true, timeout: 1000 } },
  access: () => async () => right({ state: 'granted', node: null }),
  connect: () => async () => (log.push('connect'), right({ name: 'sim', serial: null, node: null })),
  perform: (op, input) => async () => {
    log.push(`${op} ${input ?? ''}`)
    const code = fail.shift()
    if (code) return left(new DuramenError(code as never, 'boom'))
    return right({ output: new Uint8Array(10) as never, bytes: new Uint8Array(10) })
  },
  probe: () => async () => right(undefined),
  recover: (rung) => async () => (log.push(rung), right(undefined)),
  watch: () => () => {},
  close: () => async () => (log.push('close'), right(undefined)),
}
test('smoke', async () => {
  const journal = memoryJournal()
  const host = await openHost({ journal, closeTimeout: 500 })
  const device = await createDevice(host, { driver, maxOperationsBeforeRefresh: 3 })
  await device.led(true)
  expect(await device.capture()).toHaveLength(10)
  fail.push('USB_STALL')
  await device.capture()
  await device.capture()
  console.log(device.diagnosis(), log)
  let n = 0
  for await (const r of journal.readAll()) {
    n++
    console.log(r.stream, r.seq, r.text.slice(0, 300).replaceAll('\n', ' | '))
  }
  await device.close()
  await host.close()
})
