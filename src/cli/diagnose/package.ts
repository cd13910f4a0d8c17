// What the package in a folder needs, and whether it is there: the runtime, its dependencies, its lock file.
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { counted } from '../text.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { fits } from './versions.ts'

type Ranges = Readonly<Record<string, string>>

/** What is looked at of a package.json. */
export interface Manifest {
  readonly engines?: { readonly node?: string }
  readonly dependencies?: Ranges
  readonly devDependencies?: Ranges
  readonly optionalDependencies?: Ranges
  readonly duramen?: { readonly models?: unknown }
}

/** That of npm. */
interface LockFile {
  readonly packages?: Readonly<Record<string, Manifest & { readonly version?: string }>>
}

/** The package.json of a folder; undefined where there is none. Rejects where it is no JSON. */
export const manifestIn = (folder: string): Promise<Manifest | undefined> => jsonIn(join(folder, 'package.json'))

export function runtimeFinding(version: string, manifest: Manifest | undefined): Finding {
  const own: Manifest = createRequire(import.meta.url)('../../../package.json')
  for (const [who, range] of [
    ['duramen', own.engines?.node],
    ['package.json', manifest?.engines?.node],
  ])
    if (range !== undefined && fits(version, range) === false)
      return fail('runtime', `Node ${version}, and ${who} needs ${range}`, `install Node ${range}`)
  return ok('runtime', `Node ${version} on ${process.platform} ${process.arch}`)
}

export async function dependencies(folder: string, manifest: Manifest | undefined): Promise<Finding[]> {
  if (!manifest) return [ok('dependencies', 'there is no package.json here')]
  const wanted = Object.entries(manifest.dependencies ?? {})
  const [installed, lock] = await Promise.all([
    Promise.all(wanted.map(async ([name, range]) => ({ name, range, version: await installedVersion(folder, name) }))),
    jsonIn<LockFile>(join(folder, 'package-lock.json')),
  ])
  const tool = await toolOf(folder)
  return [dependencyFinding(installed, tool), ...(lock ? [lockFinding(manifest, lock, installed, tool)] : [])]
}

interface Installed {
  readonly name: string
  readonly range: string
  readonly version: string | undefined
}

function dependencyFinding(installed: readonly Installed[], tool: string): Finding {
  const missing = installed.filter(({ version }) => version === undefined)
  const wrong = installed.filter(({ version, range }) => version !== undefined && fits(version, range) === false)
  if (missing.length > 0) return fail('dependencies', `missing: ${some(missing.map(({ name }) => name))}`, afresh(tool))
  if (wrong.length === 0) return ok('dependencies', `${counted(installed.length, 'package')} as package.json wants`)
  const said = wrong.map(({ name, version, range }) => `${name} ${version} where ${range} is wanted`)
  return fail('dependencies', some(said), afresh(tool))
}

function lockFinding(manifest: Manifest, lock: LockFile, installed: readonly Installed[], tool: string): Finding {
  const root = lock.packages?.['']
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
  const stale = kinds.flatMap((kind) => differing(manifest[kind] ?? {}, root?.[kind] ?? {}))
  if (root && stale.length > 0)
    return warn(
      'lock file',
      `package-lock.json is older than package.json: ${some(stale)}`,
      // of another tool it is a file that was left behind
      tool.startsWith('npm') ? 'npm install, and commit it' : 'remove it, or the lock file beside it',
    )
  const other = installed.filter(({ name, version }) => {
    const locked = lock.packages?.[`node_modules/${name}`]?.version
    return version !== undefined && locked !== undefined && locked !== version
  })
  if (other.length > 0)
    return warn('lock file', `installed is not what is locked: ${some(other.map(({ name }) => name))}`, afresh(tool))
  return ok('lock file', 'as package.json and node_modules are')
}

/** What installs, by the lock file beside the package or above it; the first of them where there are several. */
const TOOLS = {
  'pnpm-lock.yaml': 'pnpm install --frozen-lockfile',
  'yarn.lock': 'yarn install --frozen-lockfile',
  'bun.lock': 'bun install --frozen-lockfile',
  'bun.lockb': 'bun install --frozen-lockfile',
  'package-lock.json': 'npm ci',
  'npm-shrinkwrap.json': 'npm ci',
} as const

async function toolOf(folder: string): Promise<string> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const names = await readdir(path).catch((): string[] => [])
    const found = Object.entries(TOOLS).find(([lock]) => names.includes(lock))
    if (found) return found[1]
    if (path === dirname(path)) return 'npm install'
  }
}

/** It takes the packages away before it brings them. */
const afresh = (tool: string): string => `stop the application first, then ${tool}`

const differing = (a: Ranges, b: Ranges): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name])

/** Names are shown up to this many. */
const MOST = 5
const some = (names: readonly string[]): string =>
  names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : '')

/** As Node finds it: in the folder's node_modules, or in that of a folder above. */
async function installedVersion(folder: string, name: string): Promise<string | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const found = await jsonIn<{ version?: string }>(join(path, 'node_modules', name, 'package.json'))
    if (found || path === dirname(path)) return found?.version
  }
}

async function jsonIn<T>(file: string): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${file} is no JSON`)
  }
}
