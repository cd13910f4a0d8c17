// npm run bench [-- --json FILE]: ratios measured side by side in one run. Absolute rates are shown, not to be trusted.
import { rmSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { benchDevice } from './device.mjs'
import { benchHost } from './host.mjs'
import { benchJournal } from './journal.mjs'
import { benchMongodb } from './mongodb.mjs'
import { benchRecovery } from './recovery.mjs'
import { scratch } from './side-by-side.mjs'

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const results = []
for (const part of [benchJournal, benchHost, benchRecovery, benchDevice, benchMongodb]) {
  for (const result of await part()) {
    const { name, value, goal, lowerIsBetter, rates, unit = 'a second' } = result
    const verdict = (lowerIsBetter ? value <= goal : value >= goal) ? 'reached' : 'MISSED'
    const told = `${value.toFixed(2).padStart(7)}  goal ${`${lowerIsBetter ? '≤' : '≥'} ${goal}`.padEnd(6)}  ${verdict}  ${name}`
    console.log(rates ? `${told} (${rates.join(' : ')} ${unit})` : told)
    results.push({ name, value, goal, ...(lowerIsBetter && { lowerIsBetter }) })
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
rmSync(scratch(), { recursive: true, force: true })
