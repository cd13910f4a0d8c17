// npm run bench:peers [-- --rounds N --ms N --kills N --only a,b]: duramen and others on the same work, not in CI. All run
// under the same Node (the `node` package of this folder, as some need 22), each in a process of its own, in turns; of the
// ratios round by round the median counts. Then the proof: each is killed (SIGKILL, with all it has started) at random
// moments while it acknowledges events, opened again, and what was acknowledged and is gone is counted. The control must lose.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median, scratch } from '../side-by-side.mjs'
import { contestOf } from './contest.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const node = join(here, 'node_modules/.bin/node')
/** How many times as fast duramen is to be, with 256 in flight, as the fastest of those. */
const GOALS = [
  { what: 'XState with SQLite by hand', names: ['libsql', 'node-sqlite'], goal: 7 },
  { what: 'the fastest other engine', names: ['openworkflow', 'restate', 'emmett'], goal: 20 },
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '2000' },
    kills: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
})

if (!existsSync(join(here, 'node_modules/.package-lock.json'))) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm ci in ${here} ended with ${status}`)
}

/** Asked of a process under that Node, as some can't even be imported under another. */
function describe(name) {
  const { stdout, stderr } = spawnSync(node, [join(here, 'worker.mjs'), name, 'describe'], { encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return { name, ...JSON.parse(stdout) }
}

const contest = contestOf(node)
const contenders = readdirSync(join(here, 'contenders'))
  .map((file) => file.replace('.mjs', ''))
  .filter((name) => name === 'duramen' || values.only?.split(',').includes(name) !== false)
  .map(describe)

const rounds = []
for (let round = 0; round < Number(values.rounds); round++) {
  const rates = {}
  for (const { name } of contenders) rates[name] = await contest.rates(name, Number(values.ms))
  console.error(`round ${round + 1}:`, JSON.stringify(rates))
  rounds.push(rates)
}

/** The sums of some kills; an error counts as an answer, so that one of them doesn't cost the whole table. */
async function proof({ name, instances }) {
  const sums = { acknowledged: 0, gone: 0 }
  try {
    for (let round = 0; round < Number(values.kills); round++) {
      const { all, gone } = await contest.killed(name, instances)
      sums.acknowledged += all
      sums.gone += gone
    }
  } catch (error) {
    console.error(error.message)
    sums.gone = Number.NaN
  }
  return sums
}

const rows = []
for (const contender of contenders) {
  const { name } = contender
  const rate = (what) => Math.round(median(rounds.map((rates) => rates[name][what])))
  const over = (what) => median(rounds.map((rates) => rates.duramen[what] / rates[name][what]))
  const [sequence, together] = ['sequence', 'together']
  rows.push({
    ...contender,
    rates: [rate(sequence), rate(together)],
    ratios: [over(sequence), over(together)],
    ...(await proof(contender)),
  })
}

console.log(
  '| | in sequence /s | 256 in flight /s | duramen: times as fast in sequence | with 256 in flight | acknowledged before the kills | gone |',
)
console.log('|---|---|---|---|---|---|---|')
for (const { title, rates, ratios, acknowledged, gone } of rows) {
  const cells = [title, ...rates, ...ratios.map((ratio) => ratio.toFixed(1)), acknowledged, gone]
  console.log(`| ${cells.join(' | ')} |`)
}
for (const { what, names, goal } of GOALS) {
  const least = Math.min(...rows.filter(({ name }) => names.includes(name)).map(({ ratios }) => ratios[1]))
  if (least !== Infinity)
    console.log(`${least >= goal ? 'reached' : 'MISSED'}: ${least.toFixed(1)} times as fast as ${what} (goal ${goal})`)
}

const gone = (wanted) => rows.find(({ name }) => name === wanted)?.gone
if (gone('duramen') !== 0) process.exitCode = 1
if (gone('control') === 0) {
  console.error('The control has lost nothing: this proof sees nothing.')
  process.exitCode = 1
}
rmSync(scratch(), { recursive: true, force: true })
