// The machine as a virtual object of Restate; server and service on this machine, sends through the server's ingress.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as clients from '@restatedev/restate-sdk-clients'
import { xstate as virtualObject } from '@restatedev/xstate'
import * as xstate from 'xstate'
import { eventOf, INSTANCES, orderOf } from '../../order.mjs'

// read when the SDK is loaded: a line for each invocation would be measured, too
process.env.RESTATE_LOGGING = 'ERROR'
const restate = await import('@restatedev/restate-sdk')

const SERVER = fileURLToPath(new URL('../node_modules/.bin/restate-server', import.meta.url))

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

async function until(works) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await works()
    } catch (error) {
      if (attempt === 300) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

async function answer(url, init) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response
}

/** Server and service in that folder; after a kill they come back at the ports that the server has on record. */
async function running(dir) {
  const file = join(dir, 'ports.json')
  const known = existsSync(file)
  if (!known) writeFileSync(file, JSON.stringify(await Promise.all(Array.from({ length: 4 }, freePort))))
  const [ingress, admin, node, service] = JSON.parse(readFileSync(file, 'utf8'))
  const server = spawn(SERVER, ['--no-logo', '--base-dir', join(dir, 'restate'), '--listen-mode', 'tcp'], {
    cwd: dir,
    stdio: 'ignore',
    env: {
      ...process.env,
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_LOG_FILTER: 'warn',
      RESTATE_NODE_NAME: 'bench',
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    },
  })
  process.on('exit', () => server.kill('SIGKILL'))
  await restate.serve({ services: [virtualObject('order', orderOf(xstate))], port: service })
  await until(() => answer(`http://127.0.0.1:${admin}/health`))
  if (!known)
    await until(() =>
      answer(`http://127.0.0.1:${admin}/deployments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ uri: `http://127.0.0.1:${service}` }),
      }),
    )
  await until(() => answer(`http://127.0.0.1:${ingress}/restate/health`))
  const client = clients.connect({ url: `http://127.0.0.1:${ingress}` })
  return {
    object: (n) => client.objectClient({ name: 'order' }, `${n}`),
    // what follows here ends this process, and the server with it
    async close() {},
  }
}

const each = (work) => Promise.all(Array.from({ length: INSTANCES }, (_, n) => work(n)))

export default {
  title: 'Restate with @restatedev/xstate',
  instances: INSTANCES,
  async open(dir) {
    const { object, close } = await running(dir)
    await each((n) => object(n).create({}))
    return { send: (n, turn) => object(n).send({ event: eventOf(turn) }), close }
  },
  async kept(dir) {
    const { object, close } = await running(dir)
    const counts = await each(async (n) => (await until(() => object(n).snapshot())).context.count)
    await close()
    return counts
  },
}
