// The pipeline hands over /proc/self/fd/N, and N is used again for the next file.
import { open, rm, writeFile } from 'node:fs/promises'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { sharpProcessor } from '../../src/adapters/sharp/index.ts'
import { fileOf, inputOf, plain } from './images.ts'

const process = sharpProcessor()
const COLOURS = ['#ff0000', '#0000ff', '#00ff00']

async function colourOf(file: string): Promise<string> {
  const [r, g, b] = await sharp(file).removeAlpha().raw().toBuffer()
  return `#${[r, g, b].map((part) => (part! > 128 ? 'ff' : '00')).join('')}`
}

describe.each(['png', 'jpeg', 'gif', 'tiff', 'webp', 'avif'] as const)('%s', (format) => {
  it.runIf(globalThis.process.platform === 'linux')('one descriptor number, one file after the other', async () => {
    const paths = new Set<string>()
    for (const colour of COLOURS) {
      const input = await inputOf('a', await plain(30, 30, colour).toFormat(format).toBuffer())
      await using handle = await open(input.path)
      await rm(input.path)
      const path = `/proc/self/fd/${handle.fd}`
      paths.add(path)
      const { outputs } = await process({ ...input, path })
      for (const output of outputs) expect(await colourOf(fileOf(output))).toBe(colour)
    }
    expect(paths.size).toBe(1)
  })

  it('one path and one work folder, rewritten', async () => {
    const input = await inputOf('a', Buffer.alloc(0))
    for (const colour of COLOURS) {
      await writeFile(input.path, await plain(30, 30, colour).toFormat(format).toBuffer())
      for (const output of (await process(input)).outputs) expect(await colourOf(fileOf(output))).toBe(colour)
    }
  })
})
