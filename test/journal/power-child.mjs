// A process with a journal whose power is cut. Arguments: the compiled journal, the folder, its options, how many streams.
// Appends two records at a time to all streams without end, trims and saves snapshots in between, and prints
//   append stream seq    both records up to that seq are acknowledged
//   trim stream seq      that the records before it are dropped is acknowledged
//   refused code         and goes on with that stream no more
import { writeSync } from 'node:fs'

const [module, folder, given, streams] = process.argv.slice(2)
const { fileJournal } = await import(module)
const tell = (...words) => writeSync(1, `${words.join(' ')}\n`)
const logger = { debug() {}, info() {}, warn() {}, error() {} }
const journal = await fileJournal(folder, { ...JSON.parse(given), logger })
setInterval(() => {}, 1000)

/** As a machine's commit, so that the index has something to say of it. */
export function text(stream, seq) {
  const header = JSON.stringify({ stream, seq, ...(seq % 5 === 0 && { unfinished: 1 }) })
  return `${header}\n${JSON.stringify({ due: seq * 1000 })}\nj"${'x'.repeat((seq * 37) % 1500)}"`
}

async function acknowledged(task, ...words) {
  const answer = await task()
  if (answer._tag === 'Right') tell(...words)
  else tell('refused', answer.left.code)
  return answer._tag === 'Right'
}

async function write(stream) {
  for (let seq = (await journal.head(stream))?.seq ?? 0, turn = 0; ; seq += 2, turn++) {
    const texts = [text(stream, seq + 1), text(stream, seq + 2)]
    if (!(await acknowledged(journal.append({ stream, expected: seq, texts }), 'append', stream, seq + 2))) return
    if (turn % 3 === 0) await journal.saveSnapshot({ stream, seq: seq + 1, text: `${stream} ${seq + 1}`.repeat(50) })()
    if (turn % 7 !== 0) continue
    if (!(await acknowledged(journal.trim(stream, seq + 1), 'trim', stream, seq + 1))) return
  }
}

await Promise.all(Array.from({ length: Number(streams) }, (_, number) => write(`machine/${number}`)))
