// K7: a repair that is killed at any of its steps can be run again: the result is the same, and no byte is lost. Until then
// the journal is refused, or what is read is a true beginning of each stream.
import fs from 'node:fs'
import { type FileHandle, readdir, readFile, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { checkJournal, fileJournal, repairJournal, type StoredRecord } from '../../src/journal/index.ts'
import { all, must } from '../../src/testing/journal/case.ts'
import { type SegmentFile, sample } from './damage.ts'
import { copyJournal, newFolder, quiet, replaceSegments } from './folder.ts'
import { handles } from './handles.ts'

type Write = (bytes: Buffer, at: number, size: number, place: number) => Promise<{ bytesWritten: number }>
const real = { ...fs.promises }
const { write, truncate, sync } = handles

afterEach(restore)

function restore(): void {
  Object.assign(fs.promises, real)
  Object.assign(handles, { write, truncate, sync })
  syncBuiltinESMExports()
}

/** All of them take half a minute. */
const STRIDE = process.env.DURAMEN_SOAK === '1' ? 1 : 4

/** From the change of files with that number on, none is made any more; a write is made by half. */
function killAt(step: number): void {
  let steps = 0
  const killed = () => {
    if (++steps >= step) throw new Error('killed')
  }
  const wrap = (name: 'rename' | 'rm' | 'mkdir' | 'link' | 'unlink') => {
    const call = real[name] as (...args: unknown[]) => Promise<unknown>
    Object.assign(fs.promises, {
      [name]: async (...args: unknown[]) => {
        killed()
        return call(...args)
      },
    })
  }
  for (const name of ['rename', 'rm', 'mkdir', 'link', 'unlink'] as const) wrap(name)
  Object.assign(handles, {
    async write(this: FileHandle, bytes: Buffer, at: number, size: number, place: number) {
      if (steps + 1 === step) await (write as Write).call(this, bytes, at, size >> 1, place)
      killed()
      return (write as Write).call(this, bytes, at, size, place)
    },
    async truncate(this: FileHandle, size: number) {
      killed()
      return truncate.call(this, size)
    },
    async sync(this: FileHandle) {
      killed()
      return sync.call(this)
    },
  })
  syncBuiltinESMExports()
}

/** A flipped bit, a missing segment, a header of nonsense, and another journal's segment. */
async function manyDamages() {
  const { folder, records, segments } = await sample(65)
  expect(segments.length).toBeGreaterThan(4)
  const other = await sample(65)
  const changed = segments.flatMap((one, number): SegmentFile[] => {
    const bytes = Buffer.from(one.bytes)
    if (number === 0) bytes[700]! ^= 8
    if (number === 1) return []
    if (number === 2) bytes.fill(7, 0, 32)
    if (number === 3) return [{ file: one.file, bytes: other.segments[3]!.bytes }]
    return [{ file: one.file, bytes }]
  })
  return { folder, records, changed }
}

/** The first record of a stream: a journal with a hole there, and all others, would look like one with a trimmed stream. */
async function lostBeginning() {
  const { folder, records, segments } = await sample(36)
  const [first, ...others] = segments
  const bytes = Buffer.from(first!.bytes)
  bytes[bytes.indexOf('a0')]! ^= 1
  return { folder, records, changed: [{ file: first!.file, bytes }, ...others] }
}

async function readIn(folder: string): Promise<StoredRecord[]> {
  const copy = await newFolder()
  await copyJournal(folder, copy)
  await rm(join(copy, 'lock'), { force: true })
  const journal = await fileJournal(copy, { logger: quiet })
  const records = await all(journal.readAll())
  await must(journal.close())
  return records
}

/** All bytes in a folder and those below. */
async function bytesIn(folder: string): Promise<Buffer> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))))
}

test.each([
  ['quarantine', 'many damages', manyDamages],
  ['quarantine', 'a lost beginning', lostBeginning],
  ['cut', 'many damages', manyDamages],
  ['cut', 'a lost beginning', lostBeginning],
] as const)('K7 %s after %s: killed at each step, and run again', async (how, _, make) => {
  const { folder, records, changed } = await make()
  await replaceSegments(folder, changed)
  await repairJournal(folder, { how })
  const expected = await readIn(folder)
  expect(expected.length).toBeGreaterThanOrEqual(make === lostBeginning && how === 'cut' ? 0 : 20)
  const texts = records.map(({ text }) => text)

  let done = false
  for (let step = 1; !done; step += STRIDE) {
    await replaceSegments(folder, changed)
    killAt(step)
    const first = await repairJournal(folder, { how }).then(
      () => true,
      () => false,
    )
    restore()
    done = first
    await rm(join(folder, 'lock'), { force: true })
    const between = await readIn(folder).catch((error) => error)
    if (Array.isArray(between)) expect(between, `killed at step ${step}`).toEqual(expected)
    else expect(between).toMatchObject({ code: 'JOURNAL_DAMAGED' })
    await repairJournal(folder, { how })
    expect(await readIn(folder), `killed at step ${step}`).toEqual(expected)
    expect((await checkJournal(folder)).sound).toBe(true)
    const kept = await bytesIn(folder)
    for (const { bytes } of changed) {
      for (const text of texts)
        if (bytes.includes(text)) expect(kept.includes(text), `step ${step}: ${text}`).toBe(true)
    }
  }
})

test('K7 a repair that was interrupted is finished only when somebody agrees to what it gives up, and is told of', async () => {
  const { folder, changed } = await manyDamages()
  await replaceSegments(folder, changed)
  const whole = await repairJournal(folder, { how: 'cut' })
  await replaceSegments(folder, changed)
  let planned = 1
  for (let plan = false; !plan; planned++) {
    await replaceSegments(folder, changed)
    killAt(planned)
    await repairJournal(folder, { how: 'cut' }).catch(() => {})
    restore()
    await rm(join(folder, 'lock'), { force: true })
    plan = (await readdir(folder, { recursive: true })).some((name) => name.endsWith('plan.json'))
  }
  const left = await bytesIn(folder)

  const asked: unknown[] = []
  const declined = await repairJournal(folder, {
    how: 'quarantine',
    confirm: (losses, how) => asked.push([losses, how]) === 0,
  })
  const { records, lost, lostIsAll, bytes, damages } = whole
  expect(asked).toEqual([[{ records, lost, lostIsAll, bytes, damages }, 'cut']])
  expect(declined).toMatchObject({ repaired: false, records: 0, quarantine: [], declined: { records, lost } })
  expect((await bytesIn(folder)).equals(left)).toBe(true)

  const finished = await repairJournal(folder, { how: 'quarantine' })
  expect(finished).toMatchObject({ repaired: true, records, lost })
  expect(finished).not.toHaveProperty('declined')
  expect(records).toBeGreaterThan(0)
})
