// A process that is killed while a hundred work on a connection. Needs `npm run build`.
import { mongoConnection } from '../../dist/adapters/mongodb/index.js'
import { openHost } from '../../dist/index.js'
import { fileJournal } from '../../dist/journal/index.js'
import { connection, withConnection } from '../../dist/machines/index.js'
import { quietLogger } from '../../dist/testing/index.js'

const [, , dir, uri] = process.argv
const host = await openHost({ journal: await fileJournal(dir), logger: quietLogger })
const made = connection(host, { driver: await mongoConnection({ uri }) })
const work = async () => {
  for (;;) {
    await withConnection(made, (db) => db.collection('lives').insertOne({ pid: process.pid }))
    console.log('works')
  }
}
for (let i = 0; i < 100; i++) void work()
