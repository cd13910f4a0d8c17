// A process with an image pipeline, for the tests that kill it. Arguments: the compiled sources, the root folder, what to do,
// the user to be ('' for the same), the database to upload to ('' for a folder).
//   run    takes what is in source/, prints "drained" at the end and ends
//   watch  like run, but never ends
//   hold   opens, prints "open", waits
//   copy   like run, with a processor that copies the file in a stream; prints the most memory it ever had, in KiB
// On an error while opening it prints code and pid of the error and ends with 1.
// In <root>/log: "processed <sha256> <time>" before each processing, "published <key>" or "again <key>" after each publish.
import { appendFileSync, createReadStream, createWriteStream, existsSync, writeSync } from 'node:fs'
import * as files from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline as pump } from 'node:stream/promises'

const [compiled, root, what, uid, uri] = process.argv.slice(2)
const load = (module) => import(join(compiled, module))
const { openHost } = await load('index.js')
const { fileJournal } = await load('journal/index.js')
const { imagePipeline } = await load('machines/index.js')
const { fileSystemFolders, fileSystemStore } = await load('adapters/filesystem/index.js')
if (uid) process.setuid(Number(uid))

const log = (line) => appendFileSync(join(root, 'log'), `${line}\n`)
const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const noting = {
  ...files,
  rename: async (from, to) => {
    const key = /\/units\/([0-9a-f]{64})\.json$/.exec(to)?.[1]
    const again = key !== undefined && existsSync(to)
    await files.rename(from, to)
    if (key !== undefined) log(`${again ? 'again' : 'published'} ${key}`)
  },
}

/** Closed after the pipeline. */
let client
async function mongoStore() {
  const { MongoClient } = await import('mongodb')
  const { mongoImageStore } = await load('adapters/mongodb/index.js')
  client = new MongoClient(uri)
  const store = mongoImageStore({ db: client.db(), inline: 17 }) // some outputs in documents, some in files
  const put = (unit, signal) => async () => {
    const stored = await store.put(unit, signal)()
    if (stored._tag === 'Right') log(`${stored.right.existed ? 'found' : 'published'} ${unit.key}`)
    return stored
  }
  return { ...store, put }
}

async function twoOutputs({ name, path, sha256, workDir }) {
  log(`processed ${sha256} ${Date.now()}`)
  const content = await files.readFile(path, 'utf8')
  if (content.startsWith('bad'))
    throw Object.assign(new Error(`${name}: bad`), { name: 'DuramenError', code: 'NOT_AN_IMAGE' })
  await files.writeFile(join(workDir, 'second.txt'), `second of ${content}`)
  return {
    outputs: [{ bytes: Buffer.from(`first of ${content}`) }, { file: join(workDir, 'second.txt') }],
    codes: [content.slice(0, 20), null],
  }
}

async function copy({ path, workDir }) {
  await pump(createReadStream(path), createWriteStream(join(workDir, 'copy.bin')))
  return { outputs: [{ file: join(workDir, 'copy.bin') }], codes: [null] }
}

try {
  const host = await openHost({ journal: await fileJournal(join(root, 'journal'), { logger: quiet }), logger: quiet })
  const pipeline = await imagePipeline(host, {
    folders: fileSystemFolders(join(root, 'images'), { stableFor: 0 }),
    store: uri ? await mongoStore() : fileSystemStore(join(root, 'store'), noting),
    process: what === 'copy' ? copy : twoOutputs,
    poll: 10,
    retry: { first: 10, max: 50 },
    slots: 2,
    crashes: 1000,
  })
  writeSync(1, 'open\n')
  if (what === 'hold') setInterval(() => {}, 1000)
  else {
    pipeline.events$.subscribe(({ type }) => writeSync(1, `${type}\n`))
    if (what === 'watch') await new Promise(() => setInterval(() => {}, 1000))
    await pipeline.drained()
    await host.close()
    await pipeline.close()
    await client?.close()
    writeSync(1, what === 'copy' ? `drained ${process.resourceUsage().maxRSS}\n` : 'drained\n')
  }
} catch (error) {
  writeSync(1, `${error.code} ${error.where?.pid} ${error.message}\n`)
  process.exit(1)
}
