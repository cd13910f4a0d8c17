// A process with a journal, for the tests that kill it. Arguments: the compiled journal, the folder, what to do, and
// optionally `indexEvery`.
//   hold     opens, prints "open", waits
//   fill     appends 50 records to stream "a", prints "filled", waits
//   append   appends to 20 streams without end and prints "stream seq" for each append that was acknowledged
//   snapshots appends to 20 streams without end and saves a snapshot after each append
//   reclaim  as trim, and reclaims without end; prints "reclaimed bytes" each time that something was given up
//   trim     appends to 20 streams, trims each to its last record, and prints "stream seq" once that is acknowledged
import { writeSync } from 'node:fs'

const [module, folder, what, every] = process.argv.slice(2)
const { fileJournal } = await import(module)
const options = { segmentBytes: 20_000, ...(every && { indexEvery: Number(every) }) }
const journal = await fileJournal(folder, options).catch((error) => {
  writeSync(1, `${error.code} ${error.where.pid}\n`)
  process.exit(1)
})
writeSync(1, 'open\n')
setInterval(() => {}, 1000)

if (what === 'fill') {
  for (let expected = 0; expected < 50; expected++) {
    const answer = await journal.append({ stream: 'a', expected, texts: [`text ${expected + 1}`] })()
    if (answer._tag === 'Left') throw answer.left
  }
  writeSync(1, 'filled\n')
}

async function append(stream) {
  for (let expected = (await journal.head(stream))?.seq ?? 0; ; expected += 2) {
    const texts = [`${stream} ${expected + 1}`, `${stream} ${expected + 2}`]
    const answer = await journal.append({ stream, expected, texts })()
    if (answer._tag === 'Left') throw answer.left
    writeSync(1, `${stream} ${expected + 2}\n`)
  }
}
async function appendAnd(stream, then) {
  const from = (await journal.head(stream))?.seq ?? 0
  for (let expected = from; ; expected++) {
    const answer = await journal.append({ stream, expected, texts: [`${stream} ${expected + 1}`] })()
    if (answer._tag === 'Left') throw answer.left
    await then(stream, expected + 1)
  }
}
async function save(stream, seq) {
  await journal.saveSnapshot({ stream, seq, text: `${stream} ${seq} `.repeat(200) })()
  if (seq % 20 === 0) writeSync(1, `${stream} ${seq}\n`)
}
async function trim(stream, seq) {
  const answer = await journal.trim(stream, seq)()
  if (answer._tag === 'Left') throw answer.left
  writeSync(1, `${stream} ${seq}\n`)
}
async function reclaim() {
  for (;;) {
    const { bytes } = await journal.reclaim()
    if (bytes > 0) writeSync(1, `reclaimed ${bytes}\n`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
if (what === 'reclaim') void reclaim()
const then = { snapshots: save, trim, reclaim: trim }[what]
if (then !== undefined) await Promise.all(Array.from({ length: 20 }, (_, number) => appendAnd(`s${number}`, then)))
if (what === 'append') await Promise.all(Array.from({ length: 20 }, (_, number) => append(`s${number}`)))
