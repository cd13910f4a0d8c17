// K1 K7 a writer that begins just when a reader has seen that there is none: what it writes and takes back is not shown.
import { type FileHandle, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { committedEnd } from '../../src/journal/file/commit/committed-end.ts'
import { openJournal } from '../../src/journal/index.ts'
import { add, all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, quiet, segmentsOf } from './folder.ts'
import { handles } from './handles.ts'

/** What happens after a reader has looked at the lock, once. */
let meanwhile: (() => Promise<void>) | undefined

vi.mock('../../src/journal/lock.ts', async (original) => {
  const lock = await original<typeof import('../../src/journal/lock.ts')>()
  const heldBy = async (file: string) => {
    const held = await lock.heldBy(file)
    const then = meanwhile
    meanwhile = undefined
    await then?.()
    return held
  }
  return { ...lock, heldBy }
})

async function closedJournal(): Promise<string> {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await add(journal, 'a', 0, 'first')
  await must(journal.close())
  return folder
}

test('one that has written half of a group and has not undone it yet', async () => {
  const folder = await closedJournal()
  let undo = () => {}
  const undoing = new Promise<void>((resolve) => {
    undo = resolve
  })
  const answers: Promise<{ _tag: string }>[] = []
  meanwhile = async () => {
    const journal = await openIn(folder)
    const { write, truncate } = handles
    let calls = 0
    const halfWritten = new Promise<void>((resolve) => {
      vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...args: any) {
        const [bytes, at, size, place] = args
        if (++calls === 2) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        return (write as any).call(this, bytes, at, Math.ceil(size / 2), place)
      } as any)
      vi.spyOn(handles, 'truncate').mockImplementation(async function (this: FileHandle, size?: number) {
        if (calls === 2) {
          resolve()
          await undoing
        }
        return truncate.call(this, size)
      })
    })
    const append = (text: string, number: number) =>
      journal.append({ stream: `s${number}`, expected: 0, texts: [text] })()
    answers.push(...numbered(20).map(append))
    await halfWritten
  }
  onTestFinished(() => {
    undo()
    vi.restoreAllMocks()
  })
  const reader = await openJournal(folder, { readOnly: true, logger: quiet })
  expect(await texts(reader.readAll())).toEqual(['first'])
  await must(reader.close())
  undo()
  expect((await Promise.all(answers)).every(({ _tag }) => _tag === 'Left')).toBe(true)
})

test('one that came, wrote and went', async () => {
  const folder = await closedJournal()
  meanwhile = async () => {
    const journal = await openIn(folder)
    await add(journal, 'a', 1, 'second')
    await must(journal.close())
  }
  expect((await committedEnd(folder)).position).toBe(2)
})

test('what is given up between the reading of two segments: what was read of it before counts as dropped', async () => {
  const folder = await newFolder()
  const options = { segmentBytes: 1024 }
  const journal = await openIn(folder, options)
  for (let seq = 0; seq < 40; seq++) {
    await Promise.all([add(journal, 'a', seq, `a${seq} ${'x'.repeat(100)}`), add(journal, 'b', seq, `b${seq}`)])
  }
  await must(journal.trim('a', 39))
  await add(journal, 'b', 40, 'x'.repeat(1024))
  const [first] = await segmentsOf(folder)
  await journal.reclaim()
  const [records, heads] = [await all(journal.readAll()), await all(journal.heads())]
  await must(journal.close())
  await writeFile(first!.file, first!.bytes) // as it was when it was read
  await rm(join(folder, 'index'), { recursive: true, force: true })
  const reader = await openJournal(folder, { readOnly: true, logger: quiet })
  onTestFinished(async () => {
    await reader.close()()
  })
  expect(await all(reader.readAll())).toEqual(records)
  expect(await all(reader.heads())).toEqual(heads)
  expect(await all(reader.read('a'))).toEqual(records.filter(({ stream }) => stream === 'a'))
})
