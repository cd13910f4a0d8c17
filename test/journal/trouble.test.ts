// A process that may not, or can't, do what it must with the files of its journal: each call is answered by a DuramenError
// that says what, where and what to do, the process lives, nothing that was acknowledged is lost (K7), and where the trouble
// passes the journal works again without being opened anew.
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { chown, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { fileJournal } from '../../src/journal/index.ts'
import { add, all, must, refused } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { newDisk, noDisk } from './disk.ts'
import { newFolder, openFilesIn, openIn, quiet, segmentsOf } from './folder.ts'

const compiled = compiledJournal()
const posix = process.platform !== 'win32'
if (!posix) console.warn('SKIPPED: limits and permissions as POSIX has them')
/** As whom the process runs where this one is root, who may do anything. */
const NOBODY = 65_534

/** The errors by which a process in trouble was answered: code and calls. Its journal must be whole in the end. */
async function inTrouble(trouble: string) {
  const folder = join(await newFolder(), 'journal')
  await mkdir(folder)
  if (process.getuid?.() === 0) for (const path of [folder, join(folder, '..')]) await chown(path, NOBODY, NOBODY)
  const child = [join(import.meta.dirname, 'trouble-child.mjs'), compiled, folder, trouble]
  const limited = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, ...child]
  const { stdout, stderr } = await promisify(execFile)('sh', limited)
  const lines = stdout.trim().split('\n')
  expect(JSON.parse(lines.pop()!)).toBe('whole')
  expect(stderr).toBe('')
  const answers = lines.map((line) => JSON.parse(line))
  for (const answer of answers) {
    expect(answer).toMatchObject({
      name: 'DuramenError',
      hint: expect.stringMatching(/.{10}/),
      where: { file: expect.stringContaining(folder) },
    })
  }
  const calls = new Set<string>(answers.map(({ call }) => call))
  return { codes: [...new Set(answers.map(({ code }) => code))], calls: [...calls].sort(), answers }
}

describe.skipIf(!posix)('K7 a process', () => {
  test('that has no file descriptor left: every call that needs one is refused, and works once there are some', async () => {
    const { codes, calls, answers } = await inTrouble('descriptors')
    expect(codes).toEqual(['IO'])
    expect(calls).toEqual(expect.arrayContaining(['append', 'open', 'read', 'readAll', 'roll']))
    for (const { hint } of answers) expect(hint).toContain('ulimit -n')
  })

  test('that may not write to its folder any more, or read its segments, until it may again', async () => {
    const { codes, calls } = await inTrouble('permission')
    expect(codes).toEqual(['NO_PERMISSION'])
    expect(calls).toEqual(expect.arrayContaining(['append', 'close', 'open', 'read', 'readAll', 'roll']))
  })

  test('whose folder is removed: nothing is acknowledged that nobody will find', async () => {
    const { codes, calls } = await inTrouble('removed')
    expect(codes).toEqual(['FOLDER_MISSING'])
    expect(calls).toEqual(expect.arrayContaining(['append', 'roll']))
  })
})

describe.skipIf(process.platform !== 'linux')('K9 a journal that could not be opened', () => {
  test('has no file open, and its lock is free', async () => {
    const folder = await realpath(await newFolder())
    const journal = await openIn(folder, { indexEvery: 64 })
    for (let seq = 0; seq < 70; seq++) await add(journal, 'a', seq, 'x'.repeat(100))
    await must(journal.close())
    const [segment] = await segmentsOf(folder)
    const bytes = Buffer.from(segment!.bytes)
    bytes[bytes.length - 200]! ^= 1
    writeFileSync(segment!.file, bytes)
    await expect(fileJournal(folder, { logger: quiet })).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
    expect(openFilesIn(folder)).toEqual([])
    writeFileSync(segment!.file, segment!.bytes)
    expect(await all((await openIn(folder)).readAll())).toHaveLength(70)
    expect(openFilesIn(folder).length).toBeGreaterThan(0)
  })
})

describe.skipIf(noDisk() !== undefined)('K11 a file system that becomes read-only', () => {
  test('because of an error: appends are refused, nothing that was acknowledged is lost', async () => {
    const disk = await newDisk()
    const folder = join(disk.path, 'journal')
    const journal = await openIn(folder, { segmentBytes: 1024 })
    for (let seq = 0; seq < 10; seq++) await add(journal, 'a', seq, 'x'.repeat(300))
    const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', disk.path], { encoding: 'utf8' }).trim()
    writeFileSync(`/sys/fs/ext4/${device.slice('/dev/'.length)}/trigger_fs_error`, 'a test')
    for (const length of [10, 900]) {
      const code = await refused(journal.append({ stream: 'a', expected: 10, texts: ['x'.repeat(length)] }))
      expect(['READ_ONLY', 'IO', 'OUTCOME_UNKNOWN', 'JOURNAL_FAILED']).toContain(code)
    }
    expect(await all(journal.readAll())).toHaveLength(10)
    await expect(openIn(join(disk.path, 'other'))).rejects.toMatchObject({ code: 'READ_ONLY' })
    await journal.close()()
    disk.restart()
    await journal.close()()
    const again = await openIn(folder)
    expect((await all(again.readAll())).length).toBeGreaterThanOrEqual(10)
    await must(again.close())
  })
})
