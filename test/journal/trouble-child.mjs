// A process whose journal gets into trouble. Arguments: the compiled journal, a folder, the trouble. Prints a line of JSON
// for each call that was answered by an error, then "whole" if all that was acknowledged is there after reopening.
//   descriptors  it may open only a few more files, from none on
//   permission   it may not write to its folder any more, or not read its segments
//   removed      its folder is removed
import { chmodSync, closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const [module, folder, trouble] = process.argv.slice(2)
const { fileJournal } = await import(module)
if (process.getuid() === 0) {
  process.setegid(65534)
  process.seteuid(65534)
}

const tell = (what) => console.log(JSON.stringify(what))
function open() {
  const said = new Set()
  const say = (message) => {
    if (said.has(message)) tell(`said twice: ${message}`)
    said.add(message)
  }
  return fileJournal(folder, {
    segmentBytes: 4096,
    indexEvery: 16,
    logger: { debug() {}, info() {}, warn: say, error: say },
  })
}
const acknowledged = new Map()
let journal = await open()

/** Whether it was done; tells how it was answered otherwise. */
async function attempt(call, run) {
  try {
    const answer = await run()
    if (answer?._tag === 'Left') throw answer.left
    return true
  } catch (error) {
    const { name, code, hint, where, message } = error
    tell({ call, name, code, hint, where, message })
    return false
  }
}

function append(stream, length) {
  const expected = acknowledged.get(stream) ?? 0
  return attempt(length > 1000 ? 'roll' : 'append', async () => {
    const answer = await journal.append({ stream, expected, texts: ['x'.repeat(length)] })()
    if (answer._tag === 'Right') acknowledged.set(stream, expected + 1)
    return answer
  })
}

async function collect(found) {
  const all = []
  for await (const one of found) all.push(one)
  return all
}

const read = (stream) => attempt('read', () => collect(journal.read(stream)))

/** One of everything; whether all of it was done. */
async function everything(turn) {
  const done = [
    await append('a', 10),
    await append('b', 3000),
    await read('a'),
    await attempt('readAll', () => collect(journal.readAll())),
    await attempt('heads', () => collect(journal.heads())),
    await attempt('due', () => collect(journal.due(1e9))),
    await attempt('trim', journal.trim('b', Math.max(acknowledged.get('b') - 2, 1))),
    await attempt('snapshot', () => journal.saveSnapshot({ stream: 'a', seq: 1, text: 'x' })),
    await attempt('snapshot', () => journal.snapshot('a')),
  ]
  for (let number = 0; number < 20; number++) done.push(await append(`${turn} ${number}`, 10))
  return done.every(Boolean)
}

const held = []
function hold(free) {
  try {
    for (;;) held.push(openSync('/dev/null'))
  } catch (error) {
    if (error.code !== 'EMFILE') throw error
  }
  for (const one of held.splice(0, free)) closeSync(one)
}
function release() {
  for (const one of held.splice(0)) closeSync(one)
}

/** The files of the index; there may be no descriptor left to look. */
function runs() {
  const [taken] = held.splice(0, 1)
  if (taken !== undefined) closeSync(taken)
  const files = readdirSync(join(folder, 'index')).filter((name) => name.endsWith('.run'))
  if (taken !== undefined) held.push(openSync('/dev/null'))
  return files.map((name) => join(folder, 'index', name))
}

/** Of the folder. */
const modes = [0o500, 0o100, 0o000]
const troubles = {
  async descriptors(turn) {
    hold(turn)
    await everything(`held ${turn}`)
    await attempt('close', journal.close())
    hold(turn)
    const index = runs()
    const opened = await attempt('open', async () => {
      journal = await open()
    })
    if (opened) await everything(`opened ${turn}`)
    release()
    if (opened) return
    if (!index.every((file) => existsSync(file))) tell('removed the index, which was as it should be')
    await journal.close()()
    journal = await open()
  },
  async permission(turn) {
    await journal.close()()
    journal = await open()
    const segments = readdirSync(folder).filter((name) => name.endsWith('.log'))
    if (turn === modes.length) for (const name of segments) chmodSync(join(folder, name), 0)
    else chmodSync(folder, modes[turn])
    await everything(`without ${turn}`)
    await attempt('close', journal.close())
    await attempt('open', open)
    chmodSync(folder, 0o700)
    for (const name of segments) chmodSync(join(folder, name), 0o600)
    await journal.close()()
    journal = await open()
  },
}

await everything('before')
if (trouble === 'removed') {
  rmSync(folder, { recursive: true })
  const before = new Map(acknowledged)
  await everything('removed')
  await attempt('close', journal.close())
  tell(acknowledged.size === before.size ? 'whole' : 'acknowledged what is nowhere')
} else {
  for (let turn = 0; turn < (trouble === 'descriptors' ? 10 : modes.length + 1); turn++) {
    await troubles[trouble](turn)
    if (!(await everything(`after ${turn}`))) tell(`does not work again after ${turn}`)
  }
  const closed = await attempt('close', journal.close())
  journal = await open()
  const all = await collect(journal.readAll())
  const heads = new Map((await collect(journal.heads())).map(({ stream, seq }) => [stream, seq]))
  const whole =
    [...acknowledged].every(([stream, seq]) => heads.get(stream) === seq) && heads.size === acknowledged.size
  await journal.close()()
  tell(whole && closed && all.length > 100 ? 'whole' : 'not whole')
}
