// Opens a journal again and again, each time with its index damaged in another way, in a process that would die of it.
// Arguments: the compiled journal, a closed journal's folder, another one's, a folder to work in. Prints a line for each
// kind of damage with how often it was done; ends with what was wrong. DURAMEN_SOAK=1: in all files, at more places.
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

const [module, folder, other, work] = process.argv.slice(2)
const { fileJournal } = await import(module)
const options = { segmentBytes: 4096, indexEvery: 16, logger: { debug() {}, info() {}, warn() {}, error() {} } }
const index = join(work, 'index')
const wrong = []
const expected = await told(folder)

async function collect(found) {
  const all = []
  for await (const one of found) all.push(one)
  return all
}

/** All that a journal answers, and what it decides. */
async function answers(journal) {
  const all = await collect(journal.readAll())
  const heads = (await collect(journal.heads())).sort((one, next) => one.position - next.position)
  const streams = heads.map(({ stream }) => stream)
  const read = []
  for (const stream of streams) read.push(await collect(journal.read(stream)), await journal.head(stream))
  const due = (await collect(journal.due(1e6))).sort((one, next) => one.due - next.due)
  const pending = (await collect(journal.heads({ pending: true }))).map(({ stream }) => stream).sort()
  const late = await Promise.all(streams.map((stream) => journal.append({ stream, expected: 0, texts: ['x'] })()))
  return JSON.stringify({ all, heads, read, due, pending, late: late.map((answer) => answer.left?.code) })
}

async function told(where, meanwhile = () => {}) {
  const journal = await fileJournal(where, options)
  try {
    meanwhile()
    return await answers(journal)
  } finally {
    await journal.close()()
  }
}

async function damaged(what, damage, whileOpen = false) {
  rmSync(work, { recursive: true, force: true })
  cpSync(folder, work, { recursive: true, filter: (path) => !path.endsWith('.sock') })
  if (!whileOpen) damage()
  const answer = await told(work, whileOpen ? damage : undefined).catch((error) => error.stack)
  if (answer !== expected) wrong.push(`${what}: ${answer.slice(0, 300)}`)
}

const soak = process.env.DURAMEN_SOAK !== undefined
const there = readdirSync(join(folder, 'index')).sort()
const runs = there.filter((name) => name.endsWith('.run'))
/** The oldest was merged from others, the newest was not; beside them the positions that were trimmed. */
const files = soak ? there : [runs[0], runs.at(-1), there.find((name) => name.startsWith('gone-'))]
const bytesOf = (file) => readFileSync(join(folder, 'index', file))
const flip = (file, at) => () => {
  const bytes = bytesOf(file)
  bytes[at] ^= 1 << (at % 8)
  writeFileSync(join(index, file), bytes)
}

const kinds = {
  async 'deleted as a whole'() {
    await damaged('deleted', () => rmSync(index, { recursive: true }))
    await damaged('deleted while open', () => rmSync(index, { recursive: true }), true)
    return 2
  },
  async 'a file deleted'() {
    for (const file of files) await damaged(file, () => rmSync(join(index, file)))
    return files.length
  },
  async truncated() {
    let count = 0
    for (const file of files)
      for (let size = 0; size < bytesOf(file).length; size += soak ? 997 : 2003)
        for (const open of [false, true]) {
          await damaged(`${file} cut to ${size}`, () => truncateSync(join(index, file), size), open)
          count++
        }
    return count
  },
  async 'a bit flipped'() {
    let count = 0
    for (const file of files)
      for (let at = 0; at < bytesOf(file).length; at += soak ? 97 : 331, count++)
        await damaged(`${file} flipped at ${at}`, flip(file, at), count % 3 === 0)
    return count
  },
  async 'of another journal'() {
    await damaged('another', () => {
      rmSync(index, { recursive: true })
      cpSync(join(other, 'index'), index, { recursive: true })
    })
    return 1
  },
  async 'of another version'() {
    for (const file of files.filter((name) => runs.includes(name))) {
      await damaged(`${file} of version 2`, () => {
        const bytes = bytesOf(file)
        const trailer = bytes.length - 24
        const at = bytes.readDoubleLE(trailer)
        bytes.write('"version":2', bytes.indexOf('"version":1', at), 'latin1')
        bytes.writeUInt32LE(crc32(bytes.subarray(at, trailer), 1), trailer + 12)
        writeFileSync(join(index, file), bytes)
      })
    }
    return files.length
  },
  async 'half written'() {
    for (const file of files) {
      await damaged(`${file} half written`, () => {
        writeFileSync(join(index, `${file}.new`), bytesOf(file).subarray(0, 1000))
        rmSync(join(index, file))
      })
      await damaged(`${file} zeros`, () => writeFileSync(join(index, file), Buffer.alloc(bytesOf(file).length)))
    }
    return files.length
  },
  async 'ahead of the log'() {
    const journal = await fileJournal(work, options)
    await journal.append({ stream: 'more', expected: 0, texts: Array.from({ length: 40 }, () => 'x') })()
    await journal.close()()
    cpSync(index, join(other, 'ahead'), { recursive: true })
    rmSync(work, { recursive: true })
    cpSync(folder, work, { recursive: true, filter: (path) => !path.endsWith('.sock') })
    rmSync(index, { recursive: true })
    cpSync(join(other, 'ahead'), index, { recursive: true })
    // Not damage of the index, but records that the log has lost (K7).
    const answer = await told(work).catch((error) => error.code)
    if (answer !== 'JOURNAL_DAMAGED') wrong.push(`ahead: ${answer.slice(0, 300)}`)
    return 1
  },
}

for (const [name, run] of Object.entries(kinds)) console.log(`${name}: ${await run()}`)
console.log(JSON.stringify(wrong.slice(0, 10)))
