// A process with a journal that appends one by one, then many at once; prints the position of each append when it is
// acknowledged. Each record's text names its position. Arguments: the compiled journal, the folder.
import { writeSync } from 'node:fs'

const [module, folder] = process.argv.slice(2)
const { fileJournal } = await import(module)
const journal = await fileJournal(folder, { segmentBytes: 8192, indexEvery: 16 })
let last = 0

async function append(stream, expected) {
  const position = ++last
  const answer = await journal.append({ stream, expected, texts: [`<${position}>`.padEnd(150, 'x')] })()
  if (answer.right?.position !== position) throw new Error(`not at position ${position}`)
  writeSync(1, `acknowledged ${position}\n`)
}

for (let seq = 0; seq < 100; seq++) await append('one', seq)
for (let seq = 0; seq < 10; seq++)
  await Promise.all(Array.from({ length: 30 }, (_, number) => append(`s${number}`, seq)))
await journal.close()()
