// `duramen diagnose`: what is so, and what to do next, one line each (V3). All checks run side by side, and none waits for
// another: whatever hangs, the report is there within 10 s. Changes nothing.
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT } from '../exit-codes.ts'
import type { Screen } from '../screen.ts'
import { database } from './database.ts'
import { deploy } from './deploy/deploy.ts'
import { environmentFindings } from './environment.ts'
import { folders, models } from './files.ts'
import { type Finding, fail, worst } from './finding.ts'
import { freePort } from './free-port.ts'
import { journal, writerOf } from './journal.ts'
import { type Check, lookAll } from './look.ts'
import { cpu, disk, memory } from './machine.ts'
import { type Model, modelIn } from './model.ts'
import { dependencies, type Manifest, manifestIn, runtimeFinding } from './package.ts'
import { processes } from './processes.ts'
import { reportJson, reportLines } from './report.ts'
import { lookAtServer, serverFindings } from './server.ts'
import { type UsbId, usb } from './usb.ts'

export interface DiagnoseCommand {
  readonly host: string
  readonly port: number
  /** Instead of host and port. */
  readonly url: URL | undefined
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
  readonly json: boolean
}

/** Diagnoses; the answer is the exit code: 1 when something fails. */
export async function diagnose(command: DiagnoseCommand, screen: Screen): Promise<number> {
  const { findings, hung } = await lookAll(checksOf(command))
  if (command.json) screen.line(JSON.stringify(reportJson(findings), undefined, 2))
  else for (const line of reportLines(findings, screen)) screen.line(line)
  const code = worst(findings) === 'fail' ? EXIT.failed : EXIT.fine
  // what hangs would keep the process
  if (hung)
    await new Promise<void>((resolve) => process.stdout.write('', () => resolve())).then(() => process.exit(code))
  return code
}

/** ms for a journal's disk to say who writes to it, where a check only wants to know that beside its own. */
const PATIENCE = 2_000

function checksOf(command: DiagnoseCommand): Check[] {
  const { startup, journal: dir } = command
  const files: Check[] = command.deploy ? [{ name: 'deploy', look: () => deploy('.') }] : []
  if (command.deploy && !startup) return files
  const writer = writerOf(dir)
  return [...(startup ? beforeStart(command) : whileRunning(command, writer)), ...always(command, writer), ...files]
}

const beforeStart = ({ host, port, env }: DiagnoseCommand): Check[] => [
  { name: 'port', look: async () => [await freePort(host, port)] },
  { name: 'environment', look: async () => environmentFindings(process.env, env) },
]

function whileRunning({ host, port, url, journal }: DiagnoseCommand, writer: Promise<number | undefined>): Check[] {
  const server = url ?? new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
  const known = () => Promise.race([writer, sleep(PATIENCE, undefined, { ref: false })])
  return [
    { name: 'port', look: async (signal) => serverFindings(await lookAtServer(server, signal), await known()) },
    { name: 'cpu', look: cpu },
    { name: 'processes', look: async () => processes(journal, await known()) },
  ]
}

/**
 * What touches the journal's disk first waits for the one call that has asked it already: if it hangs, it holds up one of the
 * few threads that Node has for files, and not all of them.
 */
function always(command: DiagnoseCommand, writer: Promise<unknown>): Check[] {
  const { journal: dir, folders: more, usb: wanted } = command
  const manifest = manifestIn('.')
  const readable = manifest.catch(() => undefined) // the check of the dependencies says why not
  return [
    { name: 'memory', look: memory },
    { name: 'disk', look: () => writer.then(() => disk(['.', dir, ...more])) },
    { name: 'database', look: (signal) => database(process.env, signal) },
    { name: 'runtime', look: async () => [runtimeFinding(process.versions.node, await readable)] },
    { name: 'dependencies', look: async () => dependencies('.', await manifest) },
    { name: 'folders', look: () => writer.then(() => folders([dir, ...more])) },
    { name: 'models', look: async (signal) => modelsLook(command.models, await readable, signal) },
    { name: 'usb', look: () => usb(wanted) },
    { name: 'journal', look: (signal) => writer.then(() => journal(dir, signal)) },
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
