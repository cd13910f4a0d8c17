// A process that is killed in the middle of a run. Needs `npm run build`.
import { openHost } from '../../dist/index.js'
import { fileJournal } from '../../dist/journal/index.js'
import { worker } from '../../dist/machines/index.js'

const host = await openHost({ journal: await fileJournal(process.argv[2]) })
let runs = 0
await worker(host, {
  id: 'sync',
  every: 50,
  run: async ({ key, sleep }) => {
    runs++
    if (runs < 3) return
    console.log(`running ${key}`)
    await sleep('1h')
  },
})
