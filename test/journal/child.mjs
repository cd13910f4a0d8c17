// A process with a journal, for the tests that kill it. Arguments: the compiled journal, the folder, what to do.
//   hold     opens, prints "open", waits
//   fill     appends 50 records to stream "a", prints "filled", waits
//   append   appends to 20 streams without end and prints "stream seq" for each append that was acknowledged
import { writeSync } from 'node:fs'

const [module, folder, what] = process.argv.slice(2)
const { fileJournal } = await import(module)
const journal = await fileJournal(folder, { segmentBytes: 20_000 }).catch((error) => {
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
  const heads = []
  for await (const record of journal.read(stream)) heads.push(record.seq)
  for (let expected = heads.length; ; expected += 2) {
    const texts = [`${stream} ${expected + 1}`, `${stream} ${expected + 2}`]
    const answer = await journal.append({ stream, expected, texts })()
    if (answer._tag === 'Left') throw answer.left
    writeSync(1, `${stream} ${expected + 2}\n`)
  }
}
if (what === 'append') await Promise.all(Array.from({ length: 20 }, (_, number) => append(`s${number}`)))
