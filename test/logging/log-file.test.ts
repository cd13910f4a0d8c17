// G1: the file of a log: rotation, who may read it, that no line is missing whatever ends the process, and that a file that
// can't be written keeps nobody from going on.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { createLogger } from '../../src/adapters/logging/index.ts'
import { LogFile } from '../../src/adapters/logging/log-file.ts'
import { noSmallDisk, smallDisk } from '../journal/disk.ts'
import { allOf, fileLogger, newFolder } from './logs.ts'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))
const numbers = (text: string) => [...text.matchAll(/ - line (\d+)/g)].map((match) => Number(match[1]))
const upTo = (n: number) => Array.from({ length: n }, (_, at) => at)

/** A log file, and what it told. */
function fileAt(path: string, size = 1e7, keep = 5) {
  const told: string[] = []
  return { told, file: new LogFile(path, { size, keep }, (message) => told.push(message)) }
}

it('G1: what is larger than size is put aside before the next line, and the last keep are kept', async () => {
  const { logger, folder, file } = await fileLogger({ rotate: { size: '1kB', keep: 3 } })
  for (let n = 0; n < 200; n++) logger.info(`line ${n}`)
  const names = await readdir(folder)
  expect(names).toHaveLength(4)
  for (const name of names) {
    expect(name).toMatch(/^app\.log(\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.\d+)?$/)
    expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(1_000)
  }
  const left = numbers(await allOf(folder))
  expect(left.at(-1)).toBe(199)
  expect(left).toEqual(upTo(200).slice(left[0]))
  expect((await readFile(file, 'utf8')).endsWith('line 199\n')).toBe(true)
})

it('G1: goes on with a file that is there, and puts one aside that is too large already', async () => {
  const folder = await newFolder()
  const path = join(folder, 'app.log')
  await writeFile(path, `${'x'.repeat(2_000)}\n`)
  const { file, told } = fileAt(path, 1_000)
  for (const line of ['one\n', 'two\n']) expect(file.write(line)).toBe(true)
  file.close()
  expect(await readFile(path, 'utf8')).toBe('one\ntwo\n')
  expect(await readdir(folder)).toHaveLength(2)
  expect(told).toEqual([])
})

it('G1: a line that is larger than size has a file to itself', async () => {
  const folder = await newFolder()
  const { file } = fileAt(join(folder, 'app.log'), 10, 100)
  for (const line of ['a\n', 'b'.repeat(50), 'c\n']) file.write(line)
  file.close()
  expect(await allOf(folder)).toBe(`a\n${'b'.repeat(50)}c\n`)
  expect(await readdir(folder)).toHaveLength(3)
})

it('keep 0 keeps none', async () => {
  const { logger, folder } = await fileLogger({ rotate: { size: 100, keep: 0 } })
  for (let n = 0; n < 20; n++) logger.info(`line ${n}`)
  expect(await readdir(folder)).toEqual(['app.log'])
})

it('G1: one that was put aside and can not be removed keeps no other, and that is said once', async () => {
  const folder = await newFolder()
  const stays = 'app.log.2020-01-01T00-00-00.000Z.1'
  await mkdir(join(folder, stays))
  const { file, told } = fileAt(join(folder, 'app.log'), 10, 2)
  for (let n = 0; n < 8; n++) expect(file.write(`line ${n} is long\n`)).toBe(true)
  file.close()
  const names = (await readdir(folder)).toSorted()
  expect(names.slice(0, 2)).toEqual(['app.log', stays])
  expect(names).toHaveLength(4)
  expect(told).toEqual([expect.stringMatching(/^more than 2 files are kept beside .*app\.log: E(ISDIR|PERM)/)])
})

it('G1: a logger of errors alone says in the file how many lines are missing', async () => {
  const folder = await newFolder()
  const logs = join(folder, 'logs')
  await writeFile(logs, 'a file in its place')
  const logger = createLogger({ name: 'app', level: 'error', console: false, file: join(logs, 'app.log') })
  logger.error('lost') // on stderr
  await rm(logs)
  logger.error('kept')
  logger.close()
  expect(await readFile(join(logs, 'app.log'), 'utf8')).toMatch(
    / - kept\n.* - ERROR - .*; 2 lines are missing in it\n$/,
  )
})

it('never removes what is not its own', async () => {
  const { logger, folder } = await fileLogger({ rotate: { size: 100, keep: 1 } })
  const others = ['app.log.1', 'app.log.gz', 'app.log.2025', 'app.logs', 'other.log.2025-12-17T10-30-00.123Z.1']
  for (const name of others) await writeFile(join(folder, name), '')
  for (let n = 0; n < 20; n++) logger.info(`line ${n}`)
  expect(await readdir(folder)).toEqual(expect.arrayContaining(others))
})

it('G1: file and folder are for this user alone, and what was there before keeps its mode', async () => {
  const folder = await newFolder()
  const logger = createLogger({
    name: 'app',
    console: false,
    file: join(folder, 'a', 'b', 'app.log'),
    rotate: { size: 50 },
  })
  for (let n = 0; n < 3; n++) logger.info('a line that fills the file')
  logger.close()
  const mode = async (...names: string[]) => ((await stat(join(folder, ...names))).mode & 0o777).toString(8)
  expect([await mode('a'), await mode('a', 'b')]).toEqual(['700', '700'])
  const names = await readdir(join(folder, 'a', 'b'))
  expect(names).toHaveLength(3)
  for (const name of names) expect(await mode('a', 'b', name)).toBe('600')
})

it.each([
  ['exit', 0],
  ['throw', 1],
  ['kill', null],
  ['close', 0],
])('G1: the last line is there when the process ends by %s', async (how, status) => {
  const folder = await newFolder()
  const file = join(folder, 'app.log')
  const child = spawnSync(process.execPath, [CHILD, file, how], { encoding: 'utf8' })
  expect(child.status).toBe(status)
  expect(numbers(await readFile(file, 'utf8'))).toEqual(upTo(100))
  if (how === 'throw') expect(await readFile(file, 'utf8')).toContain('    Error: nobody catches this\n        at ')
  if (how === 'close') expect(child.stderr).toMatch(/ - WARN - after close\n$/)
})

it('G1: two loggers of a process on one file, and each line whole', async () => {
  const folder = await newFolder()
  const path = join(folder, 'app.log')
  const loggers = ['a', 'b'].map((name) =>
    createLogger({ name, console: false, file: path, rotate: { size: 500, keep: 1_000 } }),
  )
  for (let n = 0; n < 200; n++) loggers[n % 2]!.info(`line ${n}`)
  for (const logger of loggers) logger.close()
  expect(numbers(await allOf(folder))).toEqual(upTo(200))
})

it('G1: three processes on one file that each rotates: no line is lost, torn or there twice', async () => {
  const folder = await newFolder()
  const path = join(folder, 'app.log')
  const children = [1, 2, 3].map(() =>
    spawn(process.execPath, [CHILD, path, 'exit', '2000', '20kB'], { stdio: 'inherit' }),
  )
  await Promise.all(children.map((child) => once(child, 'exit')))
  const lines = (await allOf(folder)).trimEnd().split('\n')
  for (const { pid } of children)
    expect(
      lines
        .filter((line) => line.endsWith(` of ${pid}`))
        .map((line) => numbers(line)[0])
        .toSorted((a, b) => a! - b!),
    ).toEqual(upTo(2_000))
  expect(lines.filter((line) => !/^\S+ \S+ - child - INFO - line \d+ of \d+$/.test(line))).toEqual([])
  expect(lines).toHaveLength(6_000)
  expect((await readdir(folder)).length).toBeGreaterThan(10)
})

it('goes on in a new file where logrotate has put the old one aside', async () => {
  const { logger, file } = await fileLogger()
  logger.info('line 0')
  await rename(file, `${file}.1`)
  logger.info('line 1')
  expect(numbers(await readFile(file, 'utf8'))).toEqual([1])
})

it('G1: a folder that was removed is made again', async () => {
  const folder = await newFolder()
  const { file, told } = fileAt(join(folder, 'logs', 'app.log'))
  file.write('one\n')
  await rm(join(folder, 'logs'), { recursive: true })
  expect(file.write('two\n')).toBe(true)
  file.close()
  expect(await readFile(join(folder, 'logs', 'app.log'), 'utf8')).toBe('two\n')
  expect(told).toEqual([])
})

it('G1: where the file can not be written it says so once, and is back by itself', async () => {
  const folder = await newFolder()
  const logs = join(folder, 'logs')
  const { file, told } = fileAt(join(logs, 'app.log'))
  file.write('one\n')
  await rm(logs, { recursive: true })
  await writeFile(logs, 'a file in its place')
  for (const line of ['two\n', 'three\n', 'four\n']) expect(file.write(line)).toBe(false)
  expect(told).toEqual([expect.stringMatching(/^.*app\.log can't be written, its lines go to the console.*: E/)])
  await rm(logs)
  expect(file.write('five\n')).toBe(true)
  expect(told.slice(1)).toEqual([expect.stringMatching(/^.*written again; 3 lines are missing/)])
  expect(await readFile(join(logs, 'app.log'), 'utf8')).toBe('five\n')
})

it.skipIf(noSmallDisk)(
  `G1: a full disk tears no line, and is left by itself${noSmallDisk ? ` (skipped: ${noSmallDisk})` : ''}`,
  async () => {
    const disk = await smallDisk('size=128k')
    await writeFile(join(disk, 'other'), 'x'.repeat(50_000))
    const { file, told } = fileAt(join(disk, 'app.log'), 1e7, 1)
    let kept = 0
    while (file.write(`line ${'x'.repeat(996)}\n`)) kept++
    for (let n = 0; n < 5; n++) expect(file.write('lost\n')).toBe(false)
    expect(told).toEqual([expect.stringContaining('ENOSPC')])
    await rm(join(disk, 'other'))
    expect(file.write('back\n')).toBe(true)
    file.close()
    const lines = (await readFile(join(disk, 'app.log'), 'utf8')).split('\n')
    expect(lines.filter((line) => line.length === 1_001)).toHaveLength(kept)
    expect(lines.length).toBe(kept + 3) // with the half of a line that the disk took last, and the end
    expect(lines.slice(-2)).toEqual(['back', ''])
    expect(told).toHaveLength(2)
  },
)

it('G1: a named pipe that nobody reads does not stop the process, and a folder is no file', async () => {
  const folder = await newFolder()
  await mkdir(join(folder, 'app.log'))
  const dir = fileAt(join(folder, 'app.log'))
  expect(dir.file.write('x\n')).toBe(false)
  expect(dir.told[0]).toContain('EISDIR')
  expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).toBe(0)
  const pipe = fileAt(join(folder, 'pipe'))
  expect(pipe.file.write('x\n')).toBe(false)
  expect(pipe.told[0]).toContain('ENXIO')
})

it.skipIf(!existsSync('/dev/full'))('never puts a device aside, as /dev/stdout in a container', async () => {
  const folder = await newFolder()
  await symlink('/dev/full', join(folder, 'app.log'))
  const { file, told } = fileAt(join(folder, 'app.log'), 1)
  expect(file.write('x\n')).toBe(false)
  expect(told).toEqual([expect.stringContaining('ENOSPC')])
  expect(await readdir(folder)).toEqual(['app.log'])
})

/** What a script prints that has `createLogger`. */
function run(script: string) {
  const url = `file://${resolve('dist/adapters/logging/index.js')}`
  const given = ['--input-type=module', '-e', `import { createLogger } from ${JSON.stringify(url)}\n${script}`]
  return spawnSync(process.execPath, given, { encoding: 'utf8' })
}

it('G1: the console is stdout, or stderr; lines that reach no file go to stderr where it is off', () => {
  const say = (options: string) => run(`createLogger({ name: 'app', ${options} }).info('100 %s %d')`)
  expect(say('')).toMatchObject({ stdout: expect.stringMatching(/ - app - INFO - 100 %s %d\n$/), stderr: '' })
  expect(say(`console: 'stderr'`)).toMatchObject({ stdout: '', stderr: expect.stringMatching(/INFO - 100 %s %d\n$/) })
  const lost = say(`console: false, file: '/proc/none/app.log'`)
  expect(lost.stdout).toBe('')
  expect(lost.stderr).toMatch(/ - ERROR - \/proc\/none\/app.log can't be written.*\n.* - INFO - 100 %s %d\n$/)
})

it('G1: a reader of the console who leaves does not end the process', async () => {
  const script = `const logger = createLogger({ name: 'app' })
    logger.info('first')
    setTimeout(() => { for (let n = 0; n < 1000; n++) logger.info('x'.repeat(1000)) }, 200)
    setTimeout(() => process.exit(7), 400)`
  const url = `file://${resolve('dist/adapters/logging/index.js')}`
  const given = ['--input-type=module', '-e', `import { createLogger } from ${JSON.stringify(url)}\n${script}`]
  const child = spawn(process.execPath, given, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  expect(await once(child, 'exit')).toEqual([7, null])
})

it.skipIf(noSmallDisk)(
  'G1: a file that is mounted by itself, as containers do, grows, and that is said once',
  async () => {
    const folder = await newFolder()
    const path = join(folder, 'app.log')
    await writeFile(join(folder, 'outside'), '')
    await writeFile(path, '')
    expect(spawnSync('mount', ['--bind', join(folder, 'outside'), path]).status).toBe(0)
    onTestFinished(() => void spawnSync('umount', [path]))
    const { file, told } = fileAt(path, 10)
    for (let n = 0; n < 5; n++) expect(file.write(`line ${n} is long\n`)).toBe(true)
    file.close()
    expect(told).toEqual([expect.stringMatching(/^.*can't be rotated, and grows: EBUSY/)])
    expect((await readFile(join(folder, 'outside'), 'utf8')).split('\n')).toHaveLength(6)
  },
)
