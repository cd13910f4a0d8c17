// Which checks there are for what was asked.
import { database } from './database.ts'
import { deploy } from './deploy/deploy.ts'
import { environmentFindings } from './environment.ts'
import { folders, models } from './files.ts'
import { type Finding, fail } from './finding.ts'
import { freePort } from './free-port.ts'
import { journal, writerOf } from './journal.ts'
import type { Check } from './look.ts'
import { cpu, disk, memory } from './machine.ts'
import { type Model, modelIn } from './model.ts'
import { dependencies, type Manifest, manifestIn, runtimeFinding } from './package.ts'
import { processes } from './processes.ts'
import { endOf, lookAtServer, serverFindings } from './server.ts'
import { type UsbId, usb } from './usb.ts'

/** Plain data, as it goes to the process that looks. */
export interface Asked {
  readonly host: string
  readonly port: number
  /** Instead of host and port. */
  readonly url: string | undefined
  readonly journal: string
  readonly models: readonly Model[]
  readonly folders: readonly string[]
  /** Names of variables that must be set. */
  readonly env: readonly string[]
  readonly usb: readonly UsbId[]
  /** What must hold before a start, instead of what runs. */
  readonly startup: boolean
  /** The files of a deployment, instead of what runs. */
  readonly deploy: boolean
}

/** Nothing is looked at before a check is. */
export function checksFor(asked: Asked): Check[] {
  const { startup } = asked
  const files: Check[] = asked.deploy ? [{ name: 'deploy', look: () => deploy('.') }] : []
  if (asked.deploy && !startup) return files
  return [...(startup ? beforeStart(asked) : whileRunning(asked)), ...always(asked), ...files]
}

const serverOf = ({ host, port, url }: Asked) =>
  new URL(url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`)

function beforeStart(asked: Asked): Check[] {
  const { host, port } = endOf(serverOf(asked))
  return [
    { name: 'port', look: async () => [await freePort(host, port)] },
    { name: 'environment', look: async () => environmentFindings(process.env, asked.env) },
  ]
}

function whileRunning(asked: Asked): Check[] {
  const { journal } = asked
  const server = serverOf(asked)
  return [
    {
      name: 'port',
      look: async (signal) => serverFindings(await lookAtServer(server, signal), await writerOf(journal)),
    },
    { name: 'cpu', look: cpu },
    { name: 'processes', look: async () => processes(journal, await writerOf(journal)) },
  ]
}

function always({ journal: dir, folders: more, usb: wanted, models: given }: Asked): Check[] {
  // the check of the dependencies says why it can't be read
  const manifest = () => manifestIn('.').catch(() => undefined)
  return [
    { name: 'memory', look: memory },
    { name: 'disk', look: () => disk(['.', dir, ...more]) },
    { name: 'database', look: (signal) => database(process.env, signal) },
    { name: 'runtime', look: async () => [runtimeFinding(process.versions.node, await manifest())] },
    { name: 'dependencies', look: async () => dependencies('.', await manifestIn('.')) },
    { name: 'folders', look: () => folders([dir, ...more]) },
    { name: 'models', look: async (signal) => modelsLook(given, await manifest(), signal) },
    { name: 'usb', look: () => usb(wanted) },
    { name: 'journal', look: (signal) => journal(dir, signal) },
  ]
}

/** Those of the command line, and of `duramen.models` in package.json. */
async function modelsLook(given: readonly Model[], manifest: Manifest | undefined, signal: AbortSignal) {
  const named: unknown = manifest?.duramen?.models ?? []
  const texts = Array.isArray(named)
    ? named.map((one) => (typeof one === 'string' ? modelIn(one) : undefined))
    : [undefined]
  const read = texts.filter((one) => one !== undefined)
  const wrong: Finding[] =
    read.length === texts.length
      ? []
      : [fail('models', 'duramen.models in package.json is no list of texts', 'write ["models/a.onnx:SHA256", …]')]
  return [...wrong, ...(await models([...given, ...read], signal))]
}
