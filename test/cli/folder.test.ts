// A folder of the user's: copied, never changed.
import { appendFile, lstat, mkdir, readdir, readFile, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { copyFolder } from '../../src/cli/copy.ts'
import { writeSamples } from '../../src/cli/samples.ts'
import { duramen, folder } from './command.ts'

const never = new AbortController().signal
const quiet = () => {}

/** A folder with files of these names, and where to copy them. */
async function copying(...names: string[]) {
  const dir = await folder()
  const from = join(dir, 'from')
  const to = { source: join(dir, 'source'), copied: join(dir, 'copied') }
  await mkdir(from)
  await mkdir(to.source)
  for (const name of names) await writeFile(join(from, name), `content of ${name}`)
  const copy = (signal = never, progress: Parameters<typeof copyFolder>[3] = quiet) =>
    copyFolder(from, to, signal, progress)
  return { from, to, copy, arrived: async () => (await readdir(to.source)).sort() }
}

/** All that can be seen of a folder without opening its files. */
const seen = async (dir: string) =>
  Promise.all(
    ['.', ...(await readdir(dir))].map(async (name) => {
      const { mode, ino, size, mtimeMs, ctimeMs } = await lstat(join(dir, name))
      return { name, mode, ino, size, mtimeMs, ctimeMs }
    }),
  )

describe('copying', () => {
  it('takes complete files and says what it leaves out', async () => {
    const { from, copy, arrived } = await copying('a.jpg', '-b .png', '.hidden', 'c.jpg.part')
    await mkdir(join(from, 'sub'))
    await symlink('/etc/passwd', join(from, 'link.jpg'))
    const before = await seen(from)
    expect(await copy()).toEqual({
      copied: 2,
      before: 0,
      leftOut: [
        '.hidden (hidden or unfinished)',
        'c.jpg.part (hidden or unfinished)',
        'link.jpg (a symbolic link)',
        'sub (a folder)',
      ],
    })
    expect(await arrived()).toEqual(['-b .png', 'a.jpg'])
    expect(await seen(from)).toEqual(before)
  })

  it('goes on where it was stopped', async () => {
    const { to, copy, arrived } = await copying('a', 'b', 'c')
    const stop = new AbortController()
    const stopped = copy(stop.signal, (done) => done === 2 && stop.abort())
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    // a kill in the middle of the third leaves half of it under a name of our own
    await writeFile(join(to.source, '.copying'), 'content')
    expect(await copy()).toEqual({ copied: 1, before: 2, leftOut: [] })
    expect(await arrived()).toEqual(['a', 'b', 'c'])
    expect(await readFile(join(to.source, 'c'), 'utf8')).toBe('content of c')
  })

  it('copies again what a line cut short tells of, and keeps the lines after it whole', async () => {
    const { from, to, copy, arrived } = await copying('a')
    await copy()
    const { size } = await lstat(to.copied)
    await truncate(to.copied, size - 3)
    await writeFile(join(from, 'b'), 'new')
    expect(await copy()).toEqual({ copied: 2, before: 0, leftOut: [] })
    expect(await arrived()).toEqual(['a', 'a (2)', 'b'])
    expect(await copy()).toEqual({ copied: 0, before: 2, leftOut: [] })
  })

  it('copies a file again that has changed, beside the first', async () => {
    const { from, to, copy } = await copying('a.jpg')
    await copy()
    await appendFile(join(from, 'a.jpg'), ', and more')
    await utimes(join(from, 'a.jpg'), 1, 1)
    expect(await copy()).toMatchObject({ copied: 1, before: 0 })
    expect(await readFile(join(to.source, 'a.jpg'), 'utf8')).toBe('content of a.jpg')
    expect(await readFile(join(to.source, 'a (2).jpg'), 'utf8')).toBe('content of a.jpg, and more')
  })
})

describe('duramen demo FOLDER', () => {
  let from: string
  beforeAll(async () => {
    from = await folder()
    await writeSamples(from)
    await mkdir(join(from, 'more'))
  })

  it('archives copies, leaves the folder as it is, and copies nothing twice', async () => {
    const data = await folder()
    const before = await seen(from)
    const first = await duramen('demo', from, '--data', data)
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Copied 11 files from .*\nLeft out: more \(a folder\)\.\n/)
    expect(first.stdout).toContain('11 images: 8 archived, 1 duplicate, 2 quarantined.')

    const second = await duramen('demo', from, '--data', data)
    expect(second.code).toBe(0)
    expect(second.stdout).toMatch(/nothing is left to do\.\nNothing new in .*: 11 files were copied before\.\n/)
    expect(await seen(from)).toEqual(before)
  })
})
