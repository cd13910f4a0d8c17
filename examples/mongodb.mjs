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
import { connection, imagePipeline } from 'duramen/machines'
import { mongoConnection, mongoImageStore } from 'duramen/mongodb'
import { sharpProcessor } from 'duramen/sharp'

const host = await openHost({ journal: await fileJournal('photos/journal') })
const driver = await mongoConnection({
  uri: process.env.MONGODB_URI ?? 'mongodb://127.0.0.1:27017',
  db: 'archive',
  options: { serverSelectionTimeoutMS: 5000, socketTimeoutMS: 60_000 }, // an outage, or a connection that hangs, is noticed
})
const mongo = connection(host, { id: 'mongo', driver })
const pipeline = await imagePipeline(host, {
  folders: fileSystemFolders('photos'),
  store: mongoImageStore({ db: driver.db }), // outputs of more than 256 KiB go to GridFS
  connection: mongo, // as soon as it is back, what waits goes on
  process: sharpProcessor(),
})
pipeline.events$.subscribe(({ message }) => console.log(message))
console.log('Waiting for images in photos/source', await pipeline.status())

process.once('SIGINT', async () => {
  await host.close() // pipeline and connection end with it
})
