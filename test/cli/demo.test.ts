// The demo as a user runs it.
import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { duramen, folder, start } from './command.ts'

const files = async (...path: string[]) =>
  (await readdir(join(...path))).filter((name) => !name.endsWith('.reason.txt'))

async function foldersOf(data: string) {
  const names = ['source', 'images_sources', 'images_old', 'quarantined']
  const lists = await Promise.all(names.map((name) => files(data, 'images', name)))
  return Object.fromEntries(names.map((name, i) => [name, lists[i]!.length]))
}

const atTheEnd = { source: 0, images_sources: 0, images_old: 9, quarantined: 2 }
const totals = '11 images: 8 archived, 1 duplicate, 2 quarantined.'

describe('duramen demo', () => {
  it('puts a sample set through the pipeline and shows what became of it; run again, it shows that', async () => {
    const data = await folder()
    const first = await duramen('demo', '--data', data)
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Made 11 sample files/)
    expect(first.stdout).toMatch(/box 02\.png +uploaded and read back\n✓ box 02\.png +archived/)
    const table = first.stdout.slice(first.stdout.indexOf('\nArchived\n'))
    expect(table).toMatch(/\n {2}Käse\.jpg +4006381333931 +14\.2 kB\n/)
    expect(table).toMatch(/\nDuplicates\n.*\n {2}copy of box 01\.jpg +box 01\.jpg\n/)
    expect(table).toMatch(/\nQuarantined\n.*\n {2}cut short\.jpg +truncated JPEG\n {2}notes\.jpg +not an image/)
    expect(table).toContain(totals)
    expect(table).toContain(join(data, 'store'))
    expect(await foldersOf(data)).toEqual(atTheEnd)
    expect(await files(data, 'store', 'units')).toHaveLength(8)

    const second = await duramen('demo', '--data', data)
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(second.stdout).toMatch(/^Found .*: 8 archived, 1 duplicate, 2 quarantined; nothing is left to do\.\n/)
    expect(second.stdout.slice(second.stdout.indexOf('\nArchived\n'))).toBe(table)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(first.stdout + second.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/)
  })

  it('goes on after SIGKILL, says what it found, and loses nothing', async () => {
    const data = await folder()
    const killed = start(['demo', '--data', data, '--slow', '300'])
    await killed.says('✓ box 01.jpg')
    await killed.says('box 02.png              taken')
    killed.kill('SIGKILL')
    const before = await killed.ended

    const { code, stdout, stderr } = await duramen('demo', '--data', data)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Found .*: 2 archived, 1 in images_sources \(.+\), 8 waiting in source; going on\.\n/)
    expect(stdout).toContain(totals)
    expect(await foldersOf(data)).toEqual(atTheEnd)
    const uploads = (before.stdout + stdout).match(/.*uploaded and read back/g)
    expect(uploads).toEqual([...new Set(uploads)])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('keeps a second one out, ends on %s with %i, and goes on later', async (signal, exitCode) => {
    const data = await folder()
    const first = start(['demo', '--data', data, '--slow', '60000'])
    await first.says('taken into images_sources')
    const second = await duramen('demo', '--data', data)
    expect(second).toMatchObject({ code: 1, stdout: '' })
    expect(second.stderr).toContain(`held by process ${first.pid} `)
    expect(second.stderr).not.toContain('    at ')

    first.kill(signal)
    const { code, stdout, stderr } = await first.ended
    expect({ code, stderr }).toEqual({ code: exitCode, stderr: '' })
    expect(stdout).toContain('Run the same command again')
    expect(stdout).not.toContain('safety')

    const third = start(['demo', '--data', data, '--slow', '60000'])
    await third.says('10 waiting in source; going on')
    third.kill('SIGKILL')
    await third.ended
  })

  it('reports a torn tail of the journal in one line', async () => {
    const data = await folder()
    const killed = start(['demo', '--data', data, '--slow', '60000'])
    await killed.says('taken into images_sources')
    killed.kill('SIGKILL')
    await killed.ended
    const [log] = await files(data, 'journal').then((names) => names.filter((name) => name.endsWith('.log')))
    await appendFile(join(data, 'journal', log!), 'half a record')
    const again = start(['demo', '--data', data, '--slow', '60000'])
    await again.says('going on')
    again.kill('SIGTERM')
    const { stdout, stderr } = await again.ended
    expect(stderr).toBe('')
    expect(stdout.split('\n')[0]).toMatch(/^! An append that a crash had cut short was removed.*bytes \d+\)$/)
  })
})
