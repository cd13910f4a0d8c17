import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sharpProcessor } from '../../src/adapters/sharp/index.ts'
import { writeSamples } from '../../src/cli/samples.ts'
import { folder, inputOf } from '../sharp/images.ts'

let source: string
let names: string[]
beforeAll(async () => {
  source = join(await folder(), 'new', 'source')
  names = await writeSamples(source)
})

const bytesOf = (name: string) => readFile(join(source, name))
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('the samples', () => {
  it('are all there, complete and under their names', async () => {
    expect((await readdir(source)).sort()).toEqual([...names].sort())
    expect(names).toHaveLength(11)
    expect(names.some((name) => name.includes(' '))).toBe(true)
    expect(names.some((name) => name.includes('ä'))).toBe(true)
  })

  it('are the same bytes every time', async () => {
    const again = await folder()
    expect(await writeSamples(again)).toEqual(names)
    for (const name of names) expect(sha256(await readFile(join(again, name)))).toBe(sha256(await bytesOf(name)))
  })

  it.each([
    ['box 01.jpg', 'BOX-0001', 640, 480],
    ['box 02.png', 'BOX-0002', 480, 640],
    ['box 03.jpg', 'BOX-0003', 1600, 1200],
    ['Käse.jpg', '4006381333931', 800, 600],
    ['pallet-17.png', 'PALLET-17', 900, 400],
    ['part.png', 'PART 5521/B', 320, 320],
    ['shelf.jpg', 'https://example.com/shelf/9', 1024, 768],
    ['turned.jpg', 'TURNED', 600, 900],
  ])('%s says %s', async (name, text, width, height) => {
    const { codes, info } = await sharpProcessor()(await inputOf(name, await bytesOf(name)))
    expect(codes).toEqual([text, text])
    expect(info).toMatchObject({ width, height })
  })

  it('hold one content twice, and nothing else twice', async () => {
    const hashes = await Promise.all(names.map(async (name) => sha256(await bytesOf(name))))
    expect(new Set(hashes).size).toBe(names.length - 1)
    expect(sha256(await bytesOf('copy of box 01.jpg'))).toBe(sha256(await bytesOf('box 01.jpg')))
  })

  it.each(['cut short.jpg', 'notes.jpg'])('%s is refused', async (name) => {
    await expect(sharpProcessor()(await inputOf(name, await bytesOf(name)))).rejects.toMatchObject({
      code: 'NOT_AN_IMAGE',
    })
  })

  it('cannot be written where a file stands', async () => {
    const file = join(await folder(), 'file')
    await writeFile(file, '')
    await expect(writeSamples(file)).rejects.toMatchObject({ code: 'IO', where: { file } })
  })
})
