// A process for together.test.ts. Arguments: the compiled journal, and settings as JSON.
//   write  does all that a journal offers at once, until it is killed or told to end; a line for each thing before and after
//          (a small letter: it may have happened; a large one: it has)
//   read   reads beside it, in all ways, until it is killed; a line for each record that it was shown
import { writeSync } from 'node:fs'
import { randomOf, runOf, textOf } from './together.mjs'

const [module, json] = process.argv.slice(2)
const { aesGcm, checkJournal, exportJournal, fileJournal, fileKeys, openJournal } = await import(module)
const { what, folder, keys, archive, backup, seed, run, encrypted, options } = JSON.parse(json)
const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const random = randomOf(seed)
const upTo = (count) => Math.floor(random() * count)
const tell = (...words) => writeSync(1, `${words.join(' ')}\n`)
const turn = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)))
const kept = encrypted ? fileKeys(keys) : undefined
const codec = kept && { codec: aesGcm({ keys: kept }) }

function check(right, ...told) {
  if (!right) throw new Error(JSON.stringify(told))
}

/** Undefined for what was erased. */
async function must(task) {
  const answer = await task()
  if (answer._tag === 'Right') return answer.right
  if (answer.left.code !== 'ERASED') throw answer.left
  return undefined
}

const unlessErased = (error) => {
  if (error.code !== 'ERASED') throw error
}

/** All of a stream follow one another, and are what they were written as. */
async function readWhole(journal, stream) {
  let next = 0
  for await (const record of journal.read(stream)) {
    check(record.stream === stream && (next === 0 || record.seq === next), stream, next, record)
    check(record.text === textOf(stream, record.seq, runOf(record.text)), stream, record)
    next = record.seq + 1
  }
}

async function readAll(journal, from) {
  let last = 0
  for await (const { position, stream, seq, text } of journal.readAll({ from })) {
    check(position > last && position >= from, position, last)
    check(text === textOf(stream, seq, runOf(text)), position, stream, seq, text)
    last = position
  }
}

async function write() {
  let ending = false
  process.once('SIGTERM', () => {
    ending = true
  })
  const journal = await fileJournal(folder, { logger: quiet, ...options, ...codec })
  tell('open')
  const loop = async (wait, step) => {
    for (let round = 0; !ending; round++) {
      await step(round)
      await turn(upTo(wait))
    }
  }

  async function appendTo(stream) {
    let erased = false
    const head = await journal.head(stream).catch((error) => {
      unlessErased(error)
      erased = true
    })
    let last = head?.seq ?? 0
    await loop(3, async () => {
      if (erased) return turn(20)
      const count = 1 + upTo(3)
      const texts = Array.from({ length: count }, (_, number) => textOf(stream, last + number + 1, run))
      const appended = await must(journal.append({ stream, expected: last, texts }))
      erased = appended === undefined
      if (erased) return
      tell('A', stream, last + 1, count, appended.position)
      last += count
      if (random() < 0.15) await must(journal.saveSnapshot({ stream, seq: last, text: `${stream} ${last} ${run}` }))
      if (random() < 0.1) {
        const before = random() < 0.5 ? last : 1 + upTo(last)
        tell('t', stream, before)
        await must(journal.trim(stream, before))
        tell('T', stream, before)
      }
      if (kept !== undefined && random() < 0.002) {
        tell('e', stream)
        kept.forget(stream)
        tell('E', stream)
      }
    })
  }

  const streams = Array.from({ length: 12 }, (_, number) => `m/${number}`)
  const works = streams.map(appendTo)
  works.push(
    loop(60, async (number) => {
      const appends = Array.from({ length: upTo(12) }, (_, more) => `m/${run}-${number}-${more}`)
      await Promise.all(
        appends.map(async (stream) => {
          const { position } = await must(journal.append({ stream, expected: 0, texts: [textOf(stream, 1, run)] }))
          tell('A', stream, 1, 1, position)
        }),
      )
    }),
    loop(150, async () => {
      const { bytes } = await journal.reclaim(archive === undefined ? {} : { archive })
      if (bytes > 0) tell('reclaimed', bytes)
    }),
    loop(80, async () => {
      const { position } = await journal.backup(backup)
      tell('B', position)
    }),
    loop(20, async () => readWhole(journal, streams[upTo(streams.length)]).catch(unlessErased)),
    loop(50, async () => {
      for await (const { stream, seq, text } of journal.heads({ pending: random() < 0.5 })) {
        check(text === textOf(stream, seq, runOf(text)), stream, seq, text)
      }
    }),
    loop(50, async () => {
      for await (const { due } of journal.due(500)) check(due <= 500, due)
    }),
    loop(40, () => readAll(journal, 1)),
    loop(200, async () => {
      for await (const piece of exportJournal(journal)) check(piece.length > 0)
    }),
    loop(30, async () => {
      const stream = streams[upTo(streams.length)]
      const snapshot = await journal.snapshot(stream)
      check(snapshot === undefined || snapshot.text.startsWith(`${stream} ${snapshot.seq} `), snapshot)
    }),
  )
  await Promise.all(works)
  await must(journal.close())
  tell('closed')
}

async function read() {
  const reader = await openJournal(folder, { readOnly: true, poll: 5, logger: quiet, ...codec })
  const looks = async () => {
    for (;;) {
      const other = await openJournal(folder, { readOnly: true, logger: quiet, ...codec })
      await readAll(other, 1 + upTo(await other.end()))
      for await (const { stream } of other.heads())
        if (random() < 0.1) await readWhole(other, stream).catch(unlessErased)
      await must(other.close())
      const { sound, damages } = await checkJournal(folder)
      check(sound, damages)
      await turn(upTo(50))
    }
  }
  void looks()
  for await (const { position, stream, seq, text } of reader.follow()) {
    check(text === textOf(stream, seq, runOf(text)), stream, seq, text)
    tell('R', position, stream, seq, runOf(text))
  }
}

await { write, read }[what]()
