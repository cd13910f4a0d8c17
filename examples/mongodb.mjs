// Images from ./photos/source into MongoDB, through every crash of this process and every outage of the database.
//
// In a project of yours:   npm install duramen xstate rxjs sharp zxing-wasm mongodb@7
//                          MONGODB_URI=mongodb://127.0.0.1:27017 node mongodb.mjs
// In a clone of duramen:   npm ci && npm run build && MONGODB_URI=… node examples/mongodb.mjs
//
// Put images into ./photos/source while it runs. Stop the database, and start it again: the image that is under way waits
// in ./photos/images_sources until the database has confirmed every byte of its outputs.
import { openHost } from 'duramen'
import { fileSystemFolders } from 'duramen/filesystem'
import { fileJournal } from 'duramen/journal'
import { imagePipeline } from 'duramen/machines'
import { mongoImageStore } from 'duramen/mongodb'
import { sharpProcessor } from 'duramen/sharp'
import { MongoClient } from 'mongodb'

const client = new MongoClient(process.env.MONGODB_URI ?? 'mongodb://127.0.0.1:27017', {
  serverSelectionTimeoutMS: 5000, // an outage is noticed after 5 s instead of 30
  socketTimeoutMS: 60_000, // a connection that hangs is given up
})
const host = await openHost({ journal: await fileJournal('photos/journal') })
const pipeline = await imagePipeline(host, {
  folders: fileSystemFolders('photos'),
  store: mongoImageStore({ db: client.db('archive') }), // outputs of more than 256 KiB go to GridFS
  process: sharpProcessor(),
})
pipeline.events$.subscribe(({ message }) => console.log(message))
console.log('Waiting for images in photos/source', await pipeline.status())

process.once('SIGINT', async () => {
  await host.close()
  await pipeline.close()
  await client.close() // yours: the store leaves it open
})
