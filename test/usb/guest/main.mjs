// Runs in the guest: every case in turn, one line of JSON for each, after one that says how many there are.
// `node main.mjs [pattern of names]`
import { forkReader } from '../../support/usb/reader-process.mjs'
import { contractCases } from './contract.mjs'
import { deviceCases } from './device.mjs'
import { faultCases } from './faults.mjs'
import { permissionCases } from './permissions.mjs'
import { plugCases } from './plugs.mjs'
import { processCases } from './processes.mjs'
import { wordingCases } from './wording.mjs'

/** No case takes longer, ms: seconds where the machine is idle. One that does ends the run: the device is in no known state. */
const LIMIT = 240_000

const reader = forkReader()
const all = [
  ...contractCases(reader),
  ...wordingCases(reader),
  ...deviceCases(reader),
  ...faultCases(reader),
  ...plugCases(reader),
  ...permissionCases(reader),
  ...processCases(reader),
]
const cases = all.filter(({ name }) => new RegExp(process.argv[2] ?? '').test(name))
console.log(JSON.stringify({ cases: cases.length }))
let failed = 0
for (const { name, run } of cases) {
  const begun = performance.now()
  const error = await limited(name, run)
  if (error) failed++
  const ms = Math.round(performance.now() - begun)
  console.log(JSON.stringify({ name, ms, ...(error && { error }) }))
  if (ms >= LIMIT) break
}
process.exit(failed === 0 ? 0 : 1)

/** The case's error, if any. */
async function limited(name, run) {
  await reader.fresh()
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} has not ended within ${LIMIT} ms`)), LIMIT)
  })
  try {
    await Promise.race([run(), late])
    return undefined
  } catch (error) {
    return error.stack
  } finally {
    clearTimeout(timer)
  }
}

process.on('unhandledRejection', (error) => {
  console.log(JSON.stringify({ name: 'no rejection is left unhandled', ms: 0, error: error?.stack ?? String(error) }))
  process.exit(1)
})
