// Puts an output of so many MB into a database and prints the most memory it ever had, in KiB. Arguments: the compiled
// sources, the database, how many.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'

const [compiled, uri, megabytes] = process.argv.slice(2)
const { mongoImageStore } = await import(join(compiled, 'adapters/mongodb/index.js'))

const client = new MongoClient(uri)
const part = Buffer.alloc(1024 * 1024, 'an image ')
const count = Number(megabytes)
const hash = createHash('sha256')
for (let n = 0; n < count; n++) hash.update(part)
const sha256 = hash.digest('hex')
async function* parts() {
  for (let n = 0; n < count; n++) yield part
}
const read = () => async () => ({ _tag: 'Right', right: parts() })
const outputs = [{ code: null, size: count * part.length, sha256, read }]
const store = mongoImageStore({ db: client.db() })
const stored = await store.put({ key: sha256, name: 'big.tiff', info: {}, outputs })()
await client.close()
if (stored._tag === 'Left') throw stored.left
console.log(process.resourceUsage().maxRSS)
