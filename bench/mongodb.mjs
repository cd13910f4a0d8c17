// Upload into MongoDB, against the driver's own GridFS upload and one reading of what it has stored, on one server.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { GridFSBucket, MongoClient } from 'mongodb'
import { mongoImageStore } from '../dist/adapters/mongodb/index.js'
import { best } from './side-by-side.mjs'

const PART = 1024 * 1024
const PORT = 27_399

/** A large image as a file of GridFS, and small ones, which we keep in their documents. */
const CASES = [
  { what: 'an image of 48 MB', size: 48 * PART, images: 1, rounds: 5, goal: 0.8 },
  { what: '40 images of 100 kB', size: 100_000, images: 40, rounds: 5, goal: 0.8 },
]

export async function benchMongodb() {
  const server = await anyServer()
  if (server === undefined) {
    console.log('   –     skipped: MongoDB, as there is no MONGODB_URI and no server made (npm run test:mongodb)')
    return []
  }
  const client = new MongoClient(server.uri)
  const db = client.db(`duramen_bench_${process.pid}`)
  try {
    const results = []
    for (const { what, size, images, rounds, goal } of CASES) {
      const timed = (put) => async () => {
        const files = Array.from({ length: images }, () => randomBytes(size))
        const start = performance.now()
        for (const bytes of files) await put(bytes)
        return (size * images) / 1000 / (performance.now() - start)
      }
      const { ratio, rates } = await best(rounds, timed(ours(db)), timed(plain(db)))
      const name = `upload into MongoDB of ${what} : GridFS upload and one read back`
      results.push({ name, value: ratio, goal, rates, unit: 'MB/s' })
    }
    return results
  } finally {
    await db.dropDatabase()
    await client.close()
    await server.end()
  }
}

/** The parts that a file would be read in. */
function* partsOf(bytes) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

function ours(db) {
  const store = mongoImageStore({ db })
  return async (bytes) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const read = () => async () => ({ _tag: 'Right', right: Readable.from(partsOf(bytes)) })
    const outputs = [{ code: null, size: bytes.length, sha256, read }]
    const stored = await store.put({ key: sha256, name: 'bench', info: {}, outputs })()
    if (stored._tag === 'Left') throw stored.left
  }
}

function plain(db) {
  const bucket = new GridFSBucket(db, { bucketName: 'plain', writeConcern: { w: 'majority', journal: true } })
  return async (bytes) => {
    const upload = bucket.openUploadStream('bench')
    await pipeline(Readable.from(partsOf(bytes)), upload)
    let size = 0
    for await (const part of bucket.openDownloadStream(upload.id)) size += part.length
    if (size !== bytes.length) throw new Error('the driver has lost bytes')
  }
}

/** That of MONGODB_URI, else the one that the tests have made. */
async function anyServer() {
  if (process.env.MONGODB_URI) return { uri: process.env.MONGODB_URI, end: async () => {} }
  const home = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'duramen', 'mongodb')
  if (!existsSync(join(home, 'ok')) || process.getuid() !== 0) return undefined
  const serve = fileURLToPath(new URL('../test/support/mongodb/serve.sh', import.meta.url))
  const isolated = ['--pid', '--mount', '--fork', '--kill-child', serve, home, `${PORT}`, '', '', '']
  const child = spawn('unshare', isolated, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.write('start\n')
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== 'ok') throw new Error(`the server: ${line}`)
    break
  }
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const end = () => {
    child.stdin.end()
    return ended
  }
  return { uri: `mongodb://127.0.0.1:${PORT}/`, end }
}
