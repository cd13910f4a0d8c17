// Writes docs/OPTIONS.md from the declarations in dist: `npm run docs`. With --check it only says whether that is up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { blockOf, choiceOf, entryPoints, exportsOf } from './declarations.mjs'

const PAGE = fileURLToPath(new URL('../docs/OPTIONS.md', import.meta.url))

/** Heading, and how the block of the options begins in the declarations. */
const TABLES = [
  ['duramen'],
  ['openHost(options)', 'interface HostOptions '],
  ['durable(machine, options)', 'interface DurableOptions<'],
  ['durable: a policy of `retry`', 'interface RetryPolicy '],
  ['host.actor(machine, id, options)', '(undefined extends InputFrom<TMachine> ? {'],
  [
    'actor.send(event, options), host.send(machine, id, event, options)',
    ' send(event: EventFromLogic<TMachine>, options?: {',
  ],
  ['actor.ask(event, options)', 'interface AskOptions<'],
  ['actor.waitFor(predicate, options)', 'interface WaitOptions '],
  ['actor.history(range), host.records(range)', 'interface Range '],
  ['host.list(filter)', 'interface Filter '],
  ['host.verify(options)', 'interface VerifyOptions '],
  ['Operators: `by`', 'interface By '],
  ['host.fork(actor, seq, { who, why, …options })', ' fork<TMachine '],
  ['new DuramenError(code, message, options)', 'interface DuramenErrorOptions '],
  ['duramen/journal'],
  ['fileJournal(dir, options)', 'interface FileJournalOptions '],
  ['journal.reclaim(options)', 'interface ReclaimOptions '],
  ['openJournal(dir, options)', 'interface ReaderOptions '],
  ['reader.follow(options)', 'interface FollowOptions '],
  ['checkJournal(dir, options)', 'interface CheckOptions '],
  ['repairJournal(dir, options)', 'interface RepairOptions '],
  ['backupJournal(dir, to, options)', 'interface CopyOptions '],
  ['restoreJournal(from, dir, options)', 'interface RestoreOptions '],
  ['exportJournal(journal, options)', 'interface ExportOptions '],
  ['aesGcm(options)', 'interface AesGcmOptions '],
  ['duramen/machines'],
  ['connection(host, options)', 'interface ConnectionOptions<'],
  ['withConnection(connection, work, options)', 'interface WithConnectionOptions<'],
  ['createDevice(host, options)', 'interface DeviceOptions '],
  ['device.perform(op, input, options)', 'interface PerformOptions '],
  ['schedule(host, machine, id, options)', 'interface ScheduleOptions<'],
  ['worker(host, options)', 'interface WorkerOptions '],
  ['supervisor(host, options)', 'interface SupervisorOptions '],
  ['startup(host, tasks, options)', 'interface StartupOptions '],
  ['startup: the environment', 'interface EnvironmentOptions '],
  ['startup: a task', 'interface AnyTask '],
  ['startup: a task, what runs each time', 'interface StartupTask<'],
  ['startup: a task that runs once', 'interface OnceTask '],
  ['startup: `retry` of a task', 'interface TaskRetry '],
  ['startup: `retry.backoff` of a task', 'interface TaskBackoff '],
  ['app.shutdown(options)', 'interface ShutdownOptions '],
  ['imagePipeline(host, options)', 'interface ImagePipelineOptions '],
  ['duramen/filesystem'],
  ['fileSystemFolders(root, options)', 'interface FileSystemFoldersOptions '],
  ['duramen/mongodb'],
  ['mongoImageStore(options)', 'interface MongoImageStoreOptions '],
  ['mongoConnection(options)', 'interface MongoConnectionOptions '],
  ['duramen/sharp'],
  ['sharpProcessor(options)', 'interface SharpProcessorOptions '],
  ['duramen/usb'],
  ['usbDriver(options)', 'interface UsbDriverOptions<'],
  ['a transfer of a protocol: `{ signal, … }`', 'interface TransferOptions '],
  ['simulatedDriver(options)', 'interface SimulatedDriverOptions '],
  ['duramen/logging'],
  ['createLogger(options)', 'interface LoggerOptions '],
  ['duramen/notify'],
  ['webhook(options)', 'interface WebhookOptions '],
  ['email(options)', 'interface EmailOptions '],
  ['duramen/process'],
  ['childRunner(folder, options)', 'interface ChildRunnerOptions '],
  ['askControl(folder, request, options)', 'interface AskControlOptions '],
  ['duramen/systemd'],
  ['systemd(options)', 'interface SystemdOptions '],
  ['duramen/testing'],
  ['given(machine, history, options)', 'interface GivenOptions<'],
  ['everyCrashPoint(scenario, check, options)', 'interface CrashPointOptions<'],
]

const HEAD = `# Options

Every option with its default, made from the types by \`npm run docs\`: mend the comments in src, not this page.

A \`Duration\` is a number of milliseconds or a string with a unit: \`'250ms'\`, \`'5s'\`, \`'10m'\`, \`'1h'\`, \`'2d'\`. A value that
makes no sense is refused with BAD_OPTION, or BAD_MACHINE by \`durable\`, and the message names the option.
`

function tableOf([heading, start]) {
  if (!start) return `\n## ${heading}\n`
  const { head, members } = blockOf(start)
  const inherited = /extends Partial<(\w+)>/.exec(head)?.[1]
  const all = [...members, ...(inherited ? blockOf(`interface ${inherited} `).members.map(optional) : [])]
  const rows = all.filter(({ comment }) => !comment?.startsWith('@internal'))
  const title = heading.includes('`') ? heading : `\`${heading}\``
  return `\n### ${title}\n\n| option | type | default | meaning |\n|---|---|---|---|\n${rows.flatMap((row) => rowsOf(row, heading)).join('\n')}\n`
}

const optional = (member) => ({ ...member, optional: true })

function rowsOf({ name, optional, type, file, comment, members }, where) {
  const said = /\s*\bDefault:? (.+?)\.(?=\s|$)/.exec(comment)
  if (!comment) throw new Error(`${where}: ${name} has no comment`)
  if (optional && !said) throw new Error(`${where}: the comment of ${name} says no default ("Default ….")`)
  const meaning = said ? comment.replace(said[0], '') : comment
  const cells = [
    `\`${name}\``,
    members.length ? '' : code(type, file),
    defaultOf(optional, said, members),
    meaning.trim(),
  ]
  const inner = members.flatMap((member) => rowsOf({ ...member, name: `${name}.${member.name}` }, where))
  return [`| ${cells.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |`, ...inner]
}

const defaultOf = (optional, said, members) =>
  !optional ? 'required' : members.length && said[1] === 'as below' ? '' : said[1]

const code = (type, file) => `\`${choiceOf(type.replace(/ \| undefined$/, ''), file)}\``

/** Exported options that have no table. */
function forgotten() {
  const exported = [...entryPoints().values()].flatMap((file) => [...exportsOf(file).keys()])
  return exported.filter((name) => {
    if (!/(Options|Policy)$/.test(name) || name === 'ActorOptions') return false
    return !TABLES.some(([, start]) => start?.includes(`interface ${name}`))
  })
}

if (forgotten().length) throw new Error(`no table in scripts/options.mjs for ${forgotten().join(', ')}`)
const page = HEAD + TABLES.map(tableOf).join('')
if (!process.argv.includes('--check')) writeFileSync(PAGE, page)
else if (readFileSync(PAGE, 'utf8') !== page) {
  console.error('docs/OPTIONS.md is out of date: npm run docs')
  process.exitCode = 1
}
