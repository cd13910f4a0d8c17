// duramen backup, restore, export and import, as real processes: what they print, what they leave, and how they end.
import { execFile, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { aesGcm, fileJournal } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { duramen, folder } from './command.ts'

const ok = async (...args: string[]) => {
  const { code, stdout, stderr } = await duramen(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}
const fails = async (...args: string[]) => {
  const { code, stdout, stderr } = await duramen(...args)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^duramen: .+\n( {2}.+\n)?$/)
  return stderr
}

async function sample() {
  const dir = await folder()
  const data = join(dir, 'data')
  const journal = await fileJournal(data)
  for (let seq = 0; seq < 20; seq++)
    await add(journal, `order/o-${seq % 2}`, Math.floor(seq / 2), `text ${seq} \u2028 👍`)
  return { dir, data, journal }
}

const recordsOf = async (dir: string, options = {}) => {
  const journal = await fileJournal(dir, options)
  const records = await all(journal.readAll())
  await must(journal.close())
  return records
}

describe('backup and restore', () => {
  it('beside the process that writes, again, and back', async () => {
    const { dir, data, journal } = await sample()
    const [to, back, then] = [join(dir, 'backup'), join(dir, 'back'), join(dir, 'then')]
    expect(await ok('backup', data, to)).toMatch(/backup goes up to position 20; 1\.\d kB were new\.\n$/)
    await add(journal, 'order/o-2', 0, 'one more')
    expect(JSON.parse(await ok('backup', data, to, '--json'))).toEqual({ position: 21, bytes: expect.any(Number) })
    expect(await ok('restore', to, back)).toMatch(/back goes up to position 21; 1\.\d kB were copied\.\n$/)
    expect(JSON.parse(await ok('restore', to, then, '--until', '12', '--json'))).toMatchObject({ position: 12 })
    const records = await all(journal.readAll())
    await must(journal.close())
    expect(await recordsOf(back)).toEqual(records)
    expect(await recordsOf(then)).toEqual(records.slice(0, 12))
  })

  it('say what is wrong in a line, with what to do, and exit with 1', async () => {
    const { dir, data, journal } = await sample()
    await must(journal.close())
    const other = await sample()
    await must(other.journal.close())
    expect(await fails('backup', join(dir, 'missing'), join(dir, 'backup'))).toContain('missing')
    expect(await fails('backup', data, data)).toContain('is the journal itself')
    expect(await fails('restore', data, data)).toContain('is the journal itself')
    expect(await fails('restore', data, other.data)).toContain('has a journal already')
    expect(await fails('restore', dir, join(dir, 'new'))).toContain('holds no journal')
    await ok('backup', data, join(dir, 'backup'))
    const [log] = (await readdir(join(dir, 'backup'))).filter((name) => name.endsWith('.log'))
    const bytes = await readFile(join(dir, 'backup', log!))
    bytes[500]! ^= 1
    await writeFile(join(dir, 'backup', log!), bytes)
    expect(await fails('restore', join(dir, 'backup'), join(dir, 'new'))).toMatch(/is damaged at byte \d+/)
    expect(await readdir(join(dir, 'new'))).toEqual([])
  })

  it('arguments that make no sense are refused with the usage and 2', async () => {
    const wrong = [['backup'], ['restore', 'one', 'two', '--until', '0'], ['import', 'one'], ['export', 'one', 'two']]
    for (const { code, stdout, stderr } of await Promise.all(wrong.map((args) => duramen(...args)))) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/Usage: duramen/)
    }
  })
})

describe('export and import', () => {
  it('through a pipe, beside the process that writes', async () => {
    const { dir, data, journal } = await sample()
    const main = resolve('dist/cli/main.js')
    const command = `"${process.execPath}" "${main}" export "${data}" | "${process.execPath}" "${main}" import - "${join(dir, 'moved')}"`
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command])
    expect({ stdout, stderr }).toEqual({ stdout: `20 records in ${join(dir, 'moved')}.\n`, stderr: '' })
    const records = await all(journal.readAll())
    await must(journal.close())
    expect(await recordsOf(join(dir, 'moved'))).toEqual(records)
    expect((await readdir(join(dir, 'moved'))).includes('importing.new')).toBe(false)
  })

  it('through a file, of one instance', async () => {
    const { dir, data, journal } = await sample()
    await must(journal.close())
    const out = join(dir, 'out.ndjson')
    const only = ['--machine', 'order', '--instance', 'o-1']
    expect(await ok('export', data, '--out', out, ...only)).toBe(`10 records in ${out}.\n`)
    expect(await ok('import', out, join(dir, 'moved'), '--json')).toBe('{"records":10}\n')
    expect((await recordsOf(join(dir, 'moved'))).map(({ stream }) => stream)).toEqual(Array(10).fill('order/o-1'))
  })

  it('leave nothing half: a cut file makes no journal, a failed export no file', async () => {
    const { dir, data, journal } = await sample()
    await must(journal.close())
    const out = join(dir, 'out.ndjson')
    await ok('export', data, '--out', out)
    await truncate(out, 900)
    const moved = join(dir, 'moved')
    expect(await fails('import', out, moved)).toMatch(
      /^duramen: Line \d+ of the export: .*cut\n {2}Export the journal again/,
    )
    expect(await readdir(moved)).toEqual([])
    expect(await fails('import', join(dir, 'missing'), moved)).toContain('missing')
    expect(await fails('import', out, data)).toContain('has a journal already')
    const before = await readFile(out)
    const [log] = (await readdir(data)).filter((name) => name.endsWith('.log'))
    const bytes = await readFile(join(data, log!))
    bytes[500]! ^= 1
    await writeFile(join(data, log!), bytes)
    expect(await fails('export', data, '--out', out)).toContain('is damaged at byte')
    expect(await readFile(out)).toEqual(before)
    expect((await readdir(dir)).sort()).toEqual(['data', 'moved', 'out.ndjson'])
  })

  it('an export that nobody reads on ends without a stack', async () => {
    const { data, journal } = await sample()
    for (let seq = 0; seq < 20; seq++) await add(journal, 'long', seq, 'x'.repeat(100_000))
    await must(journal.close())
    const main = resolve('dist/cli/main.js')
    const command = `"${process.execPath}" "${main}" export "${data}" | head -1`
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command])
    expect({ stdout, stderr }).toEqual({ stdout: '{"duramen":"journal","version":1}\n', stderr: '' })
  })

  it('K12 an encrypted journal needs its codec, from --config', async () => {
    const dir = await folder()
    const data = join(dir, 'data')
    const secret = Buffer.alloc(32, 7)
    const codec = aesGcm({ keys: () => ({ id: 1, secret }) })
    const journal = await fileJournal(data, { codec })
    await add(journal, 'order/o-1', 0, 'secret text')
    await must(journal.close())
    const config = join(dir, 'duramen.config.mjs')
    await mkdir(join(dir, 'keys'))
    await writeFile(
      config,
      `import { aesGcm } from ${JSON.stringify(resolve('dist/journal/index.js'))}\n` +
        'const secret = Buffer.alloc(32, 7)\n' +
        'export default { journal: { codec: aesGcm({ keys: () => ({ id: 1, secret }) }) } }\n',
    )
    expect(await fails('export', data)).toMatch(/with codec 1\n {2}Add --config/)
    expect(await fails('export', data, '--config', join(dir, 'none.mjs'))).toContain('none.mjs')
    const out = join(dir, 'out.ndjson')
    await ok('export', data, '--out', out, '--config', config)
    expect(await readFile(out, 'utf8')).toContain('secret text')
    // what an import that was killed has left is no hindrance; what is not its own stays
    const left = await fileJournal(join(dir, 'moved', 'importing.new'), { codec })
    await add(left, 'order/o-2', 0, 'secret text')
    await must(left.close())
    await mkdir(join(dir, 'moved', 'importing'))
    await writeFile(join(dir, 'moved', 'importing', 'mine'), '')
    await ok('import', out, join(dir, 'moved'), '--config', config)
    expect(await readdir(join(dir, 'moved'), { recursive: true })).toEqual(
      expect.arrayContaining(['0000000000000001.log', 'importing', 'importing/mine']),
    )
    expect(await readdir(join(dir, 'moved'))).not.toContain('importing.new')
    expect(await recordsOf(join(dir, 'moved'), { codec })).toEqual([
      { stream: 'order/o-1', seq: 1, position: 1, text: 'secret text' },
    ])
    // neither backup nor restore needs it
    await ok('backup', data, join(dir, 'backup'))
    await ok('restore', join(dir, 'backup'), join(dir, 'back'))
    expect(await recordsOf(join(dir, 'back'), { codec })).toHaveLength(1)
  })

  it('SIGINT ends an import that waits for its input, with 130 and no journal', async () => {
    const dir = await folder()
    const child = spawn(process.execPath, [resolve('dist/cli/main.js'), 'import', '-', join(dir, 'data')], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.stdin.write('{"duramen":"journal","version":1}\n')
    while (!(await readdir(dir, { recursive: true })).some((name) => name.endsWith('committed')))
      await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(await readdir(join(dir, 'data'))).toEqual([])
  })
})
