// A host of one's own: images from ./photos/source to ./photos/store, through every crash.
//
// In a project of yours:   npm install duramen xstate rxjs sharp zxing-wasm
//                          node image-pipeline.mjs
// In a clone of duramen:   npm ci && npm run build && node examples/image-pipeline.mjs
//
// Put images into ./photos/source while it runs. Stop it with Ctrl+C, or kill it; the next start goes on where it was.
import { openHost } from 'duramen'
import { fileSystemFolders, fileSystemStore } from 'duramen/filesystem'
import { fileJournal } from 'duramen/journal'
import { imagePipeline } from 'duramen/machines'
import { sharpProcessor } from 'duramen/sharp'

// The journal is what outlives a crash: every step is in it before it takes effect.
const host = await openHost({ journal: await fileJournal('photos/journal') })

const normalise = sharpProcessor()

const pipeline = await imagePipeline(host, {
  folders: fileSystemFolders('photos'), // source/, images_sources/, images_old/, quarantined/
  store: fileSystemStore('photos/store'), // or a database: anything that keeps the ImageStore port
  // File in, outputs and their codes out: any function will do. After a crash it may be asked again for the same image,
  // with the same key; once its outcome is recorded it never is.
  process: async (image) => {
    const result = await normalise(image)
    return { ...result, info: { ...result.info, station: 'gate 3' } } // kept beside the outputs in the store
  },
})

// Each step as it is committed. What fails is tried again by itself, and the image stays where it is until then.
pipeline.events$.subscribe(({ message }) => console.log(message))
console.log('Waiting for images in photos/source', await pipeline.status())

// It ends what runs, and gives the folders back.
process.once('SIGINT', () => host.close())
