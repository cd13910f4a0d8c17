// K7 of backups: beside a process that writes, killed at any moment, on a disk that is full or loses its power.
// DURAMEN_SOAK=1 kills at each moment, not at every second one.
import { spawn, spawnSync } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { backupJournal, checkJournal, openJournal, restoreJournal, type StoredRecord } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { newDisk, noDisk, noSmallDisk, smallDisk } from './disk.ts'
import { copyJournal, newFolder, openIn, quiet } from './folder.ts'

const soak = process.env.DURAMEN_SOAK !== undefined
const compiled = compiledJournal()
const child = (name: string) => join(import.meta.dirname, name)

const read = async (folder: string) => {
  const reader = await openJournal(folder, { readOnly: true, logger: quiet })
  const records = await all(reader.readAll())
  await must(reader.close())
  return records
}
const restored = async (from: string) => {
  const dir = join(await newFolder(), 'data')
  await restoreJournal(from, dir)
  return read(dir)
}

test('K7 beside a process that writes at full speed: all that it was told is in, gapless, as it is there', async () => {
  const [folder, to] = [await newFolder(), await newFolder()]
  const writer = spawn(process.execPath, [child('child.mjs'), compiled, folder, 'append'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void writer.kill('SIGKILL'))
  const acknowledged = new Map<string, number>()
  let rest = ''
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line !== 'open') acknowledged.set(line.split(' ')[0]!, Number(line.split(' ')[1]))
  })
  const more = async (count: number) => {
    const sum = () => Array.from(acknowledged.values()).reduce((a, b) => a + b, 0)
    for (const before = sum(); sum() < before + count; )
      await new Promise((resolve) => writer.stdout.once('data', resolve))
  }
  const copies: StoredRecord[][] = []
  for (let round = 0; round < 6; round++) {
    await more(150)
    const told = new Map(acknowledged)
    const { position } = await backupJournal(folder, to)
    writer.kill('SIGSTOP') // what is compared grows no further meanwhile
    expect((await checkJournal(to)).sound).toBe(true)
    const records = await read(to)
    expect(records.map((record) => record.position)).toEqual(Array.from({ length: position }, (_, index) => index + 1))
    const last = new Map(records.map(({ stream, seq }) => [stream, seq]))
    for (const [stream, seq] of told) expect(last.get(stream)).toBeGreaterThanOrEqual(seq)
    for (const seq of last.values()) expect(seq % 2).toBe(0)
    copies.push(records)
    writer.kill('SIGCONT')
  }
  const ended = new Promise((resolve) => writer.once('close', resolve))
  writer.kill('SIGKILL')
  await ended
  const records = await read(folder)
  for (const copy of copies) expect(copy).toEqual(records.slice(0, copy.length))
})

test('K7 killed before any change that it makes on disk, it leaves the backup before, or the new one; the next goes on', async () => {
  const [folder, to] = [await newFolder(), await newFolder()]
  const journal = await openIn(folder, { segmentBytes: 2048 })
  const fill = async (stream: string) => {
    for (let seq = 0; seq < 40; seq++) await add(journal, stream, seq, `${stream} ${seq} ${'x'.repeat(60)}`)
  }
  await fill('a')
  await journal.backup(to)
  const before = await all(journal.readAll())
  await fill('b')
  await must(journal.close())
  const after = await read(folder)
  const killedAt = async (nth: number) => {
    const copy = await newFolder()
    await copyJournal(to, copy)
    const { stdout, signal } = spawnSync(process.execPath, [
      child('backup-child.mjs'),
      compiled,
      folder,
      copy,
      `${nth}`,
    ])
    return { copy, signal, changes: Number(stdout.toString()) }
  }
  const { changes } = await killedAt(0)
  expect(changes).toBeGreaterThan(8)
  const kinds = new Set<string>()
  for (let nth = 1; nth <= changes; nth += soak ? 1 : 2) {
    const { copy, signal } = await killedAt(nth)
    expect(signal).toBe('SIGKILL')
    const found = await restored(copy)
    const isOlder = found.length === before.length
    expect(found).toEqual(isOlder ? before : after)
    kinds.add(isOlder ? 'the one before' : 'the new one')
    await backupJournal(folder, copy)
    expect(await restored(copy)).toEqual(after)
    expect(await read(copy)).toEqual(after)
  }
  expect([...kinds]).toEqual(['the one before', 'the new one'])
})

test('K3 beside a journal that gives up space meanwhile', async () => {
  const [folder, to] = [await newFolder(), await newFolder()]
  const journal = await openIn(folder, { segmentBytes: 20_000 })
  const text = 'x'.repeat(4000)
  for (let seq = 0; seq < 40; seq++) await add(journal, `s${seq % 3}`, Math.floor(seq / 3), text)
  let reclaimed: Promise<unknown> | undefined
  const onProgress = () => {
    reclaimed ??= (async () => {
      await must(journal.trim('s0', 13))
      await must(journal.trim('s1', 12))
      await journal.reclaim()
    })()
  }
  await journal.backup(to, { onProgress })
  await reclaimed
  const copied = await read(to)
  const now = await all(journal.readAll())
  // every record that is missing was trimmed, by a trim that the backup has
  expect([40, now.length]).toContain(copied.length)
  if (copied.length < 40) expect(copied).toEqual(now)
  await journal.backup(to)
  expect(await restored(to)).toEqual(now)
})

test.skipIf(noSmallDisk !== undefined)(
  'K7 on a disk that is full: NO_SPACE, the backup before is whole, and later it works',
  async () => {
    const folder = await newFolder()
    const disk = await smallDisk('size=400k')
    const to = join(disk, 'backup')
    const journal = await openIn(folder, { segmentBytes: 40_000 })
    let seq = 0
    const fill = async (count: number) => {
      for (const end = seq + count; seq < end; seq++) await add(journal, 'a', seq, 'x'.repeat(10_000))
    }
    await fill(6)
    await journal.backup(to)
    const before = await all(journal.readAll())
    await fill(10)
    await writeFile(join(disk, 'filler'), Buffer.alloc(250_000))
    await expect(journal.backup(to)).rejects.toMatchObject({ code: 'NO_SPACE', retryable: true })
    expect(await restored(to)).toEqual(before)
    await rm(join(disk, 'filler'))
    await journal.backup(to)
    expect(await restored(to)).toEqual(await all(journal.readAll()))
    await writeFile(join(disk, 'filler'), Buffer.alloc(200_000))
    await expect(restoreJournal(to, join(disk, 'data'))).rejects.toMatchObject({ code: 'NO_SPACE' })
    expect(await readdir(join(disk, 'data'))).toEqual([])
    await rm(join(disk, 'filler'))
    await fill(1)
    await journal.backup(to)
    expect(await restored(to)).toHaveLength(17)
  },
)

test.skipIf(noDisk() !== undefined)(
  'K7 when the power fails, what is there then is the backup before, or the new one',
  async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 20_000 })
    const disk = await newDisk()
    const to = join(disk.path, 'backup')
    const restart = async () => {
      disk.restart()
      await rm(join(to, 'lock'), { force: true }) // of this very process, which lives on
    }
    let seq = 0
    for (let round = 1; round <= 4; round++) {
      const known = seq
      for (; seq < round * 40; seq++) await add(journal, 'a', seq, `text ${seq} ${'x'.repeat(1000)}`)
      let told = 0
      const cut = journal.backup(to, {
        onProgress: () => {
          if (++told === round - 1) disk.cut()
        },
      })
      if (round > 1) await expect(cut).rejects.toMatchObject({ code: expect.stringMatching(/^(IO|READ_ONLY)$/) })
      else await cut
      if (round > 1) await restart()
      expect(await restored(to)).toHaveLength(round === 1 ? 40 : known)
      await journal.backup(to)
      disk.cut() // what it has answered is on disk
      await restart()
      expect(await restored(to)).toHaveLength(seq)
    }
  },
)
