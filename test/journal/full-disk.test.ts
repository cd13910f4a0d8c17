// K7 a full disk, whatever is being written when it becomes full: the caller is told NO_SPACE, nothing that was acknowledged
// is lost, and the journal works again once there is space, without being opened anew. What goes on in the background does without, and warns once.
import { closeSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type FileJournal, fileJournal } from '../../src/journal/index.ts'
import { isDuramenError } from '../../src/ports/errors.ts'
import { all, must, refused } from '../../src/testing/journal/case.ts'
import { noSmallDisk, smallDisk } from './disk.ts'
import { openIn } from './folder.ts'

if (noSmallDisk !== undefined) console.warn(`SKIPPED: ${noSmallDisk}`)

const PAGE = 4096
const OPTIONS = { segmentBytes: 4 * PAGE, indexEvery: 16 }

/** How the warnings begin. */
const BACKGROUND = ['Snapshots are', 'The index', 'The space', 'committed could']

/** Takes all space but so many pages; returns what gives it back. */
function pages(disk: string, free: number): () => void {
  const filler = join(disk, 'filler')
  const file = openSync(filler, 'w')
  let size = 0
  try {
    for (;;) size += writeSync(file, Buffer.alloc(PAGE))
  } catch {
    closeSync(file)
  }
  truncateSync(filler, Math.max(size - free * PAGE, 0))
  return () => rmSync(filler)
}

/** Takes all names but so many; returns what gives them back. */
function names(disk: string, free: number): () => void {
  const taken: string[] = []
  try {
    for (;;) {
      const name = join(disk, `taken ${taken.length}`)
      writeFileSync(name, '')
      taken.push(name)
    }
  } catch {}
  for (const name of taken.splice(0, free)) rmSync(name)
  return () => {
    for (const name of taken) rmSync(name)
  }
}

/** A journal to which everything is done, on a disk that may be full. */
class Busy {
  readonly #folder: string
  readonly #acknowledged = new Map<string, number>()
  /** What could not be done. */
  readonly refusals = new Set<string>()
  /** By each journal that was opened. */
  warnings: string[] = []
  journal!: FileJournal

  constructor(folder: string) {
    this.#folder = folder
  }

  async open(): Promise<undefined> {
    this.warnings = []
    const say = (message: string) => this.warnings.push(message)
    this.journal = await fileJournal(this.#folder, {
      ...OPTIONS,
      logger: { debug() {}, info() {}, warn: say, error: say },
    })
  }

  /** Whether it was done; what else than NO_SPACE is wrong is thrown. */
  async attempt(run: () => Promise<{ _tag: string; left?: unknown } | undefined>): Promise<boolean> {
    try {
      const answer = await run()
      if (answer?._tag === 'Left') throw answer.left
      return true
    } catch (error) {
      if (!isDuramenError(error) || error.code !== 'NO_SPACE') throw error
      expect(error).toMatchObject({ hint: expect.stringContaining('space'), retryable: true })
      expect(error.where.file).toContain(this.#folder)
      this.refusals.add(/Could not (begin|append|take|open)/.exec(error.message)?.[1] ?? error.message)
      return false
    }
  }

  append(stream: string, length: number): Promise<boolean> {
    const expected = this.#acknowledged.get(stream) ?? 0
    return this.attempt(async () => {
      const answer = await this.journal.append({ stream, expected, texts: ['x'.repeat(length)] })()
      if (answer._tag === 'Right') this.#acknowledged.set(stream, expected + 1)
      return answer
    })
  }

  /** Everything that writes; whether all of it was done. */
  async write(): Promise<boolean> {
    const done: boolean[] = []
    for (const length of [10, 3000, 3000]) done.push(await this.append('a', length))
    const last = this.#acknowledged.get('a') ?? 0
    if (last > 2) done.push(await this.attempt(this.journal.trim('a', last - 1)))
    await must(this.journal.saveSnapshot({ stream: 'a', seq: last, text: 'x'.repeat(5000) }))
    done.push(...(await Promise.all(Array.from({ length: 20 }, (_, number) => this.append(`s${number}`, 100)))))
    await this.whole()
    return !done.includes(false)
  }

  /** Everything that was acknowledged, and nothing else, is there. */
  async whole(): Promise<void> {
    const heads = await all(this.journal.heads())
    expect(new Map(heads.map(({ stream, seq }) => [stream, seq]))).toEqual(this.#acknowledged)
    const read = await all(this.journal.readAll())
    expect(read.filter(({ stream }) => stream !== 'a').length).toBe(
      [...this.#acknowledged].reduce((sum, [stream, seq]) => sum + (stream === 'a' ? 0 : seq), 0),
    )
  }
}

describe.skipIf(noSmallDisk !== undefined)('K7 a full disk', () => {
  test.each([
    ['pages', pages, 24, ['append', 'begin', 'open', 'take']],
    ['names', names, 6, ['begin', 'open', 'take']],
  ] as const)('with room for so many %s and no more', async (_, fill, most, steps) => {
    const disk = await smallDisk('size=1m,nr_inodes=60')
    const refusals = new Set<string>()
    const warnings = new Set<string>()
    const note = (busy: Busy) => {
      expect(new Set(busy.warnings).size).toBe(busy.warnings.length)
      for (const warning of busy.warnings) warnings.add(warning.replace(/^\/.*\//, ''))
      for (const refusal of busy.refusals) refusals.add(refusal)
    }
    for (let free = 0; free <= most; free++) {
      const folder = join(disk, `journal ${free}`)
      const busy = new Busy(folder)
      await busy.open()
      expect(await busy.write()).toBe(true)
      const giveBack = fill(disk, free)
      await busy.write()
      giveBack()
      expect(await busy.write()).toBe(true)
      note(busy)
      const again = fill(disk, free)
      await must(busy.journal.close())
      note(busy)
      again()
      const third = fill(disk, free)
      const opened = await busy.attempt(() => busy.open())
      const another = `${folder}, another`
      const other = new Busy(another)
      if (await other.attempt(() => other.open())) await must(other.journal.close())
      note(other)
      await rm(another, { recursive: true, force: true })
      if (opened) await busy.write()
      third()
      if (!opened) {
        expect(readdirSync(folder).filter((name) => name.startsWith('lock'))).toEqual([])
        await busy.open()
      }
      expect(await busy.write()).toBe(true)
      note(busy)
      await must(busy.journal.close())
      await busy.open()
      await busy.whole()
      await must(busy.journal.close())
      await rm(folder, { recursive: true })
    }
    // What else is written at the moment takes a page before another may: one of the steps need not be the one that is refused.
    expect(steps).toEqual(expect.arrayContaining([...refusals]))
    expect(refusals.size).toBeGreaterThanOrEqual(steps.length - 1)
    // `committed` is written now and then, and space given back when a segment is full: they need not meet the full disk.
    const warned = [...warnings].map((warning) => warning.split(' ', 2).join(' '))
    expect(new Set([...warned, 'The space', 'committed could'])).toEqual(new Set(BACKGROUND))
  })

  test('is answered NO_SPACE; the journal works again once there is space, and has lost nothing', async () => {
    const disk = await smallDisk('size=512k')
    const journal = await openIn(join(disk, 'journal'), { segmentBytes: 16_384 })
    const fillers = [join(disk, 'filler 1'), join(disk, 'filler 2')]
    for (const filler of fillers) await writeFile(filler, Buffer.alloc(100_000))
    const seqs = new Array(40).fill(0)
    const fill = (stream: number) =>
      refused(journal.append({ stream: `s${stream}`, expected: seqs[stream], texts: ['x'.repeat(500)] }))
    for (const filler of fillers) {
      for (let full = false; !full; ) {
        const codes = await Promise.all(seqs.map((_, stream) => fill(stream)))
        for (const [stream, code] of codes.entries()) if (code === 'nothing was refused') seqs[stream]++
        full = codes.includes('NO_SPACE')
        expect(codes.every((code) => code === 'NO_SPACE' || code === 'nothing was refused')).toBe(true)
      }
      while ((await fill(0)) !== 'NO_SPACE') seqs[0]++
      await rm(filler)
      expect(await fill(0)).toBe('nothing was refused')
      seqs[0]++
    }
    const before = await all(journal.readAll())
    await must(journal.close())
    const again = await openIn(join(disk, 'journal'))
    expect(again.torn).toBeUndefined()
    expect(await all(again.readAll())).toEqual(before)
    expect(before).toHaveLength(seqs.reduce((sum, seq) => sum + seq, 0))
  })
})
