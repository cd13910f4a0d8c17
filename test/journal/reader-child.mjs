// A process with a journal, for the tests of readers. Arguments: the compiled journal, the folder, what to do, how many.
//   write    appends to 20 streams at once, so many records to each, trims four of them all along, then appends "end" and closes
//   forever  appends to 20 streams without end and prints a line for each append that was acknowledged
//   follow   follows all records up to the one with text "end" and prints position, stream and text of each
//   look     reads heads and streams again and again until there is a stream "end"; prints "looked" if all were whole
import { writeSync } from 'node:fs'

const [module, folder, what, count = 'Infinity'] = process.argv.slice(2)
const { fileJournal, openJournal } = await import(module)
const textOf = (stream, seq) => `${stream} ${seq} ${'x'.repeat((seq * 7919) % 400)}`
const check = (right, ...told) => {
  if (!right) throw new Error(JSON.stringify(told))
}
async function must(task) {
  const answer = await task()
  if (answer._tag === 'Left') throw answer.left
}

async function write() {
  const journal = await fileJournal(folder, { segmentBytes: 20_000, indexEvery: 64 })
  async function append(number) {
    const stream = `s${number}`
    for (let seq = (await journal.head(stream))?.seq ?? 0; seq < Number(count); seq += 2) {
      await must(journal.append({ stream, expected: seq, texts: [textOf(stream, seq + 1), textOf(stream, seq + 2)] }))
      if (what === 'forever') writeSync(1, '.\n')
      else if (number < 4 && seq % 20 === 0) await must(journal.trim(stream, seq + 1))
    }
  }
  await Promise.all(Array.from({ length: 20 }, (_, number) => append(number)))
  await must(journal.append({ stream: 'end', expected: 0, texts: ['end'] }))
  await must(journal.close())
}

async function follow() {
  const reader = await openJournal(folder, { readOnly: true })
  let told = ''
  for await (const { position, stream, seq, text } of reader.follow()) {
    check(text === 'end' || text === textOf(stream, seq), stream, seq, text)
    told += `${position} ${stream} ${seq}\n`
    if (text === 'end') break
  }
  await must(reader.close())
  process.stdout.write(told)
}

async function look() {
  const reader = await openJournal(folder, { readOnly: true })
  let ended = false
  for (let last = 0; !ended; ) {
    const end = await reader.end()
    check(end >= last, end, last)
    last = end
    for await (const { stream, seq } of reader.heads()) {
      ended ||= stream === 'end'
      if (ended || stream.length > 2) continue
      let next = 0
      for await (const record of reader.read(stream)) {
        check(next === 0 || record.seq === next, record.seq, next)
        check(record.stream === stream && record.text === textOf(stream, record.seq), record)
        next = record.seq + 1
      }
      check(next > seq, stream, next, seq)
      check((await reader.head(stream)).seq >= seq, stream)
    }
  }
  await must(reader.close())
  process.stdout.write('looked\n')
}

const work = { write, forever: write, follow, look }[what]
await work()
