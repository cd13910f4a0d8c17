// npm run bench [-- --json FILE]: ratios measured side by side in one run. Absolute rates are shown, not to be trusted.
import { rmSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { benchHost } from './host.mjs'
import { benchJournal } from './journal.mjs'
import { scratch } from './side-by-side.mjs'

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const results = [...(await benchJournal()), ...(await benchHost())]
for (const { name, value, goal, rates } of results) {
  const verdict = value >= goal ? 'reached' : 'MISSED'
  console.log(
    `${value.toFixed(2).padStart(7)}  goal ${goal}  ${verdict}  ${name}${rates ? ` (${rates.join(' : ')} a second)` : ''}`,
  )
}
if (values.json !== undefined) {
  const plain = results.map(({ name, value, goal, lowerIsBetter }) => ({
    name,
    value,
    goal,
    ...(lowerIsBetter && { lowerIsBetter }),
  }))
  writeFileSync(values.json, `${JSON.stringify(plain, null, 2)}\n`)
}
rmSync(scratch(), { recursive: true, force: true })
