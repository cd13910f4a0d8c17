// What a compose file should say of the services that are built here, or of all where none is.
//
// Its text is read by indentation, which is what compose files are written with; anchors and flow style are not followed.
import { type Finding, fail, ok, warn } from '../finding.ts'

export interface Text {
  readonly file: string
  readonly text: string
}

interface Line {
  readonly file: string
  readonly line: number
  readonly indent: number
  /** Without the dash of a list. */
  readonly text: string
}

interface Service {
  readonly name: string
  readonly file: string
  readonly line: number
  /** Of the last file first, for what it says counts. */
  readonly lines: readonly Line[]
  /** Those of its own keys. */
  readonly keys: readonly Line[]
}

/** What all of its services have that are looked at. */
export interface ComposeFacts {
  readonly init: boolean
  readonly healthcheck: boolean
}

/** `files`: one, and those that are laid over it, as `docker compose` does with compose.override.yaml. */
export function composeFacts(files: readonly Text[]): ComposeFacts {
  const those = servicesIn(files)
  const all = (has: (service: Service) => boolean) => those.length > 0 && those.every(has)
  return { init: all(hasInit), healthcheck: all((service) => entryOf(service, 'healthcheck') !== undefined) }
}

/** `image`: what the image has, or says that it lacks. */
export function composeFindings(files: readonly Text[], image: ComposeFacts): Finding[] {
  const those = servicesIn(files)
  const { file } = files.at(-1)!
  if (those.length === 0)
    return [
      { ...warn('deploy', 'names no services that can be read', 'write services: in block style'), where: { file } },
    ]
  const found = those.flatMap((service) => serviceFindings(service, image))
  const fine = files.map(({ file }) => file).filter((file) => !found.some(({ where }) => where?.file === file))
  return [...found, ...fine.map((file): Finding => ({ ...ok('deploy', 'is as it should be'), where: { file } }))]
}

const hasInit = (service: Service) => /^true\b/.test(entryOf(service, 'init')?.value ?? '')

function serviceFindings(service: Service, image: ComposeFacts): Finding[] {
  const { name, lines } = service
  const found: Finding[] = []
  const at = (finding: Finding, { file, line }: Pick<Line, 'file' | 'line'> = service) =>
    found.push({ ...finding, what: `${name}: ${finding.what}`, where: { file, line } })
  const restart = entryOf(service, 'restart')
  if (restart === undefined || /^["']?no\b/.test(restart.value))
    at(warn('deploy', 'is not restarted when it ends', 'add restart: unless-stopped'), restart)
  if (entryOf(service, 'healthcheck') === undefined && !image.healthcheck)
    at(warn('deploy', 'has no healthcheck', 'add one: interval 30s, timeout 10s, start_period 30s, retries 3'))
  if (entryOf(service, 'stop_grace_period') === undefined)
    at(warn('deploy', 'is killed after 10 s of its shutdown', 'add stop_grace_period: 60s'))
  if (!hasInit(service) && !image.init) at(warn('deploy', 'process 1 takes no care of orphans', 'add init: true'))
  const privileged = entryOf(service, 'privileged')
  const isPrivileged = /^true\b/.test(privileged?.value ?? '')
  if (isPrivileged)
    at(
      warn(
        'deploy',
        'is privileged: it may do all that the machine may',
        "take devices and device_cgroup_rules: ['c 189:* rmw']",
      ),
      privileged,
    )
  for (const line of lines) {
    const { text } = line
    if (/\/dev\/bus\/usb\/\d+\/\d+/.test(text))
      at(
        fail(
          'deploy',
          'names one USB node, which has another number after each re-plug',
          'give it /dev/bus/usb as a volume',
        ),
        line,
      )
    else if (/\/dev\/bus\/usb/.test(text) && !isPrivileged && entryOf(service, 'device_cgroup_rules') === undefined)
      at(fail('deploy', 'has /dev/bus/usb, but not the right to it', "add device_cgroup_rules: ['c 189:* rmw']"), line)
  }
  return found
}

/** A key of the service itself, with what stands behind it on its line. */
function entryOf({ keys }: Service, key: string): (Line & { readonly value: string }) | undefined {
  const found = keys.find(({ text }) => text.startsWith(`${key}:`))
  return found && { ...found, value: found.text.slice(key.length + 1).trim() }
}

function servicesIn(files: readonly Text[]): Service[] {
  const services = new Map<string, Service>()
  for (const service of files.flatMap(allServicesIn)) {
    const under = services.get(service.name)
    const merged = under && {
      ...under,
      lines: [...service.lines, ...under.lines],
      keys: [...service.keys, ...under.keys],
    }
    services.set(service.name, merged ?? service)
  }
  const all = [...services.values()]
  const own = all.filter((service) => entryOf(service, 'build') !== undefined)
  return own.length > 0 ? own : all
}

function allServicesIn({ file, text }: Text): Service[] {
  const all = linesIn(file, text)
  const start = all.findIndex(({ indent, text }) => indent === 0 && /^services:\s*$/.test(text))
  if (start < 0) return []
  const rest = all.slice(start + 1)
  const end = rest.findIndex(({ indent }) => indent === 0)
  const block = end < 0 ? rest : rest.slice(0, end)
  const indent = block[0]?.indent
  const services: { name: string; line: number; lines: Line[] }[] = []
  for (const line of block) {
    if (line.indent === indent) services.push({ name: line.text.replace(/:.*$/, ''), line: line.line, lines: [] })
    else services.at(-1)?.lines.push(line)
  }
  return services.map((service) => ({
    ...service,
    file,
    keys: service.lines.filter(({ indent }) => indent === service.lines[0]?.indent),
  }))
}

function linesIn(file: string, text: string): Line[] {
  const found: Line[] = []
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const said = raw.replace(/(^|\s)#.*$/, '').trimEnd()
    if (said.trim() === '' || said.startsWith('---')) continue
    const indent = said.length - said.trimStart().length
    found.push({ file, line: at + 1, indent, text: said.trim() })
  }
  return found
}
