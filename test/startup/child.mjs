// A process that starts: a model, a seed that writes a row and is then killed or not, a server. Needs `npm run build`.
import { appendFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openHost } from '../../dist/index.js'
import { fileJournal } from '../../dist/journal/index.js'
import { startup } from '../../dist/machines/index.js'

const [, , folder, mode] = process.argv
const say = (line) => writeSync(1, `${line}\n`)
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

async function seed({ key, signal }) {
  if (mode === 'fail') throw new Error('no rows today')
  appendFileSync(join(folder, 'rows'), `${key}\n`)
  say('seeding')
  try {
    if (mode === 'slow') await sleep(60_000, undefined, { signal })
  } catch (error) {
    say('called off')
    throw error
  }
}

async function stop() {
  if (mode === 'hang') {
    await sleep(400)
    say('hanging')
    await sleep(60_000)
  }
  say('stop server')
}

const host = await openHost({ journal: await fileJournal(join(folder, 'journal')), logger: quiet })
const app = await startup(host, [
  { id: 'model', run: () => say('model'), stop: () => say('stop model') },
  { id: 'seed', once: true, needs: ['model'], run: seed },
  { id: 'server', needs: ['seed'], run: () => say('server'), stop },
])
if (mode !== 'fail') {
  await app.ready()
  say('ready')
  const { former } = app.report()
  if (former) say(`former ${former.state}`)
}
