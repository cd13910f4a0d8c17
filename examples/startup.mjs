// A program that always starts in one order: model initialised → seed_roles → seed_turnos → seed_users → server running.
//
// In a project of yours:   npm install duramen xstate rxjs libsql fasttext.wasm.js
//                          node startup.mjs [--data ./duramen-startup] [--port 8000] [--report]
// In a clone of duramen:   npm ci && npm run build && node examples/startup.mjs
//
// Started twice it seeds once. Kill it while it seeds (--slow seed_turnos leaves time for that) and start it again: the seed
// that was under way is run again with the same key, those before it are not. Ctrl+C or SIGTERM stops all in reverse.
// --crash seed_turnos shows a start that fails. Meanwhile:   curl localhost:8000/health
// and once it runs:   curl 'localhost:8000/language?text=donde+esta+la+biblioteca'   and   curl localhost:8000/users
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openHost } from 'duramen'
import { fileJournal } from 'duramen/journal'
import { loadOnce, reportLines, startup, task } from 'duramen/machines'
import { getLIDModel } from 'fasttext.wasm.js'
import Database from 'libsql'

const { values: given } = parseArgs({
  options: {
    data: { type: 'string', default: './duramen-startup' },
    port: { type: 'string', default: '8000' },
    slow: { type: 'string' },
    crash: { type: 'string' },
    report: { type: 'boolean', default: false },
  },
})
await mkdir(given.data, { recursive: true })

/** A model that tells languages apart; whoever wants it gets the same one. */
const languages = () =>
  loadOnce('model', async () => {
    const model = await getLIDModel()
    await model.load()
    return model
  })

const ROWS = {
  roles: { admin: 'may do all', operator: 'may capture', viewer: 'may look' },
  turnos: { morning: '06:00-14:00', evening: '14:00-22:00', night: '22:00-06:00' },
  users: { ann: 'admin', bob: 'operator', eve: 'viewer' },
}

const database = task({
  id: 'database',
  says: 'database open',
  needs: ['listener'],
  run: async () => new Database(join(given.data, 'app.db')),
  stop: async (database) => database.close(),
})

/**
 * A seed: run once, and should the process die in the middle, run again. So each row is an upsert by its name. Rows are
 * written one by one, to be caught half-way; yours may be one transaction, and are upserts all the same, for the process may
 * die after the transaction and before duramen has heard of it.
 */
const seed = (table, needs) => ({
  id: `seed_${table}`,
  says: `seed_${table}`,
  needs,
  once: true,
  async run({ key, signal, result, id }) {
    const upsert = result(database).prepare(
      `INSERT INTO ${table} (name, value, seeded_by) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value, seeded_by = excluded.seeded_by`,
    )
    for (const [name, value] of Object.entries(ROWS[table])) {
      upsert.run(name, value, key)
      console.log(`  ${id}: ${name}`)
      if (given.crash === id) throw new Error(`${id} was told to fail`)
      if (given.slow === id) await sleep(5000, undefined, { signal })
    }
  },
})

let app
let routes // the program's own, from when it is ready until it stops

const tasks = [
  {
    // first, so that health checks are answered while the rest starts
    id: 'listener',
    says: 'listening',
    async run({ signal }) {
      const server = createServer(answer).listen({ port: Number(given.port), host: '127.0.0.1', signal })
      await once(server, 'listening', { signal }) // rejects where the port is taken, and the start says so
      console.log(`http://127.0.0.1:${server.address().port}`)
      return server
    },
    async stop(server) {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  },
  { id: 'model', says: 'model initialised', needs: ['listener'], heavy: true, run: languages },
  database,
  {
    id: 'migrations',
    says: 'migrations',
    needs: ['database'],
    once: true, // with version: 2 it is run once more
    async run({ result }) {
      for (const table of Object.keys(ROWS))
        result(database).exec(
          `CREATE TABLE IF NOT EXISTS ${table} (name TEXT PRIMARY KEY, value TEXT NOT NULL, seeded_by TEXT NOT NULL)`,
        )
    },
  },
  seed('roles', ['model', 'migrations']),
  seed('turnos', ['seed_roles']),
  seed('users', ['seed_turnos']),
  {
    // last: nobody gets in before all is there
    id: 'server',
    says: 'server running',
    needs: ['seed_users'],
    async run({ result }) {
      routes = {
        '/users': () => result(database).prepare('SELECT name, value AS role FROM users ORDER BY name').all(),
        '/language': async ({ searchParams }) => (await languages()).identify(searchParams.get('text') ?? ''),
      }
    },
    async stop() {
      routes = undefined
    },
  },
]

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost')
  const say = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(body)}\n`)
  }
  if (url.pathname === '/live') return say(200, { status: 'alive' })
  const status = app?.health() ?? 'starting'
  if (url.pathname === '/health') return say(status === 'healthy' || status === 'degraded' ? 200 : 503, { status })
  if (!routes) return say(503, { status })
  const route = routes[url.pathname]
  if (!route) return say(404, { error: `there is no ${url.pathname}` })
  try {
    say(200, await route(url))
  } catch (error) {
    console.error(error)
    say(500, { error: 'it went wrong' })
  }
}

const host = await openHost({ journal: await fileJournal(join(given.data, 'journal')) })
app = await startup(host, tasks, { env: { TERM: 'xterm-256color' } })
try {
  await app.ready()
} catch ({ message, hint }) {
  console.error(`${message}${hint ? `\n${hint}` : ''}`)
  process.exitCode = 1
  // what had begun is stopped by now; a host that is open would keep the process alive
  await host.close()
}
if (given.report) console.log(`${reportLines(app.report()).join('\n')}\n\n${app.mermaid()}`)
