// A process that is killed in mid-capture, while the LED waits behind it. Needs `npm run build`.
import { simulatedDriver } from '../../dist/adapters/usb/index.js'
import { openHost } from '../../dist/index.js'
import { fileJournal } from '../../dist/journal/index.js'
import { createDevice } from '../../dist/machines/index.js'

const host = await openHost({ journal: await fileJournal(process.argv[2]) })
const driver = simulatedDriver()
const device = await createDevice(host, { driver, id: 'reader' })
await device.capture()
driver.reader.faults.silent = 1
device.capture().catch(() => {})
device.led(true).catch(() => {})
device.status$.subscribe(({ activity, queue_length }) => {
  if (activity === 'operating' && queue_length === 2) console.log('capturing')
})
