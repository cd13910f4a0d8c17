import { mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { sharpProcessor } from '../../src/adapters/sharp/index.ts'
import { inputOf, noise, plain } from './images.ts'

const process = sharpProcessor()

async function refusal(name: string, bytes: Uint8Array, processor = process) {
  const error = await processor(await inputOf(name, bytes)).then(
    () => expect.unreachable(`${name} was accepted`),
    (error) => error,
  )
  expect(error).toMatchObject({ name: 'DuramenError', code: 'NOT_AN_IMAGE', retryable: false, where: { file: name } })
  return error.message as string
}

/** A PNG of a few bytes that says it is 60,000 × 60,000. */
async function bomb(): Promise<Buffer> {
  const png = await plain(1, 1).png().toBuffer()
  png.writeUInt32BE(60_000, 16)
  png.writeUInt32BE(60_000, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

describe('is no image', () => {
  it('text', async () => {
    expect(await refusal('text.jpg', Buffer.from('hello, I am no picture'))).toBe(
      'text.jpg: not an image: unsupported format (accepted: jpeg, png, webp, tiff, gif, avif, heif)',
    )
  })

  it('a file of 0 bytes', async () => {
    expect(await refusal('empty.png', Buffer.alloc(0))).toBe('empty.png: not an image: 0 bytes')
  })

  it('SVG, PDF, a video: formats beyond the list', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    for (const text of [svg, `<?xml version="1.0"?>\n${svg}`, '%PDF-1.7\n', '\0\0\0\x20ftypisom\0\0\0\0']) {
      expect(await refusal('other.png', Buffer.from(text))).toContain('unsupported format')
    }
  })

  // Except within its end marker, the last two bytes: then all pixels are there.
  it('a JPEG cut short anywhere, also a progressive one', async () => {
    for (const progressive of [false, true]) {
      const jpeg = await noise(300, 200).jpeg({ progressive }).toBuffer()
      for (const end of [jpeg.length / 3, jpeg.length / 2, jpeg.length - 100, jpeg.length - 10]) {
        expect(await refusal('cut.jpg', jpeg.subarray(0, end))).toBe('cut.jpg: truncated JPEG')
      }
      expect(await refusal('head.jpg', jpeg.subarray(0, 20))).toContain('JPEG')
    }
  })

  it.each(['png', 'webp', 'tiff', 'gif', 'avif'] as const)('a %s cut short', async (format) => {
    const bytes = await noise(300, 200).toFormat(format).toBuffer()
    for (const end of [20, bytes.length / 2, bytes.length - 40]) {
      expect(await refusal(`cut.${format}`, bytes.subarray(0, end))).toMatch(/truncated/)
    }
  })

  it('a PNG with a damaged byte', async () => {
    const png = await noise(300, 200).png().toBuffer()
    png[png.length >> 1]! ^= 0xff
    expect(await refusal('damaged.png', png)).toContain('damaged or truncated PNG')
  })

  it('a small file of a huge picture', async () => {
    expect(await refusal('bomb.png', await bomb())).toBe(
      'bomb.png: over the limit of 100000000 pixels (option maxPixels)',
    )
  })

  it('what is over the limit that the host set', async () => {
    const limited = sharpProcessor({ maxPixels: 100 })
    expect(await refusal('11x11.png', await plain(11, 11).png().toBuffer(), limited)).toContain('limit of 100 pixels')
    await limited(await inputOf('10x10.png', await plain(10, 10).png().toBuffer()))
  })
})

describe('is not the fault of the image', () => {
  const good = () => noise(400, 400).png().toBuffer()

  it('a file that is gone', async () => {
    const input = await inputOf('gone.png', await good(), { path: '/nowhere/gone.png' })
    await expect(process(input)).rejects.toMatchObject({ code: 'IO', retryable: true, where: { file: 'gone.png' } })
  })

  it('a work folder that is gone', async () => {
    const input = await inputOf('a.png', await good(), { workDir: '/nowhere' })
    await expect(process(input)).rejects.toMatchObject({ code: 'IO', retryable: true })
  })

  it.each(['image.png', 'thumbnail.png'])('a disk that is full while %s is written', async (output) => {
    const input = await inputOf('a.png', await good())
    await symlink('/dev/full', join(input.workDir, output))
    await expect(process(input)).rejects.toMatchObject({ code: 'NO_SPACE', retryable: true })
  })

  it('an output that cannot be written', async () => {
    const input = await inputOf('a.png', await good())
    await mkdir(join(input.workDir, 'thumbnail.png'))
    await expect(process(input)).rejects.toMatchObject({ code: 'IO', retryable: true })
  })
})

describe('called off', () => {
  it('before it begins: nothing is written', async () => {
    const input = await inputOf('a.png', await plain(9, 9).png().toBuffer(), { signal: AbortSignal.abort('stop') })
    await expect(process(input)).rejects.toMatchObject({ code: 'ABORTED', retryable: true, cause: 'stop' })
    expect(await readdir(input.workDir)).toEqual([])
  })

  it('between two steps: the next is not begun', async () => {
    const controller = new AbortController()
    const input = await inputOf('a.png', await noise(1500, 1500).png().toBuffer(), { signal: controller.signal })
    const running = process(input)
    await vi.waitUntil(async () => (await readdir(input.workDir)).includes('image.png'), { interval: 1 })
    controller.abort()
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await readdir(input.workDir)).toEqual(['image.png'])
  })
})

describe('options and packages', () => {
  it.each([{ maxPixels: 0 }, { maxPixels: -1 }, { maxPixels: 1.5 }, { thumbnailSize: Number.NaN }])(
    '%j is refused at once',
    (options) => {
      expect(() => sharpProcessor(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
    },
  )

  it.each(['sharp', 'zxing-wasm'])('without %s it says what to install', async (name) => {
    vi.resetModules()
    vi.doMock(name === 'sharp' ? 'sharp' : 'zxing-wasm/reader', () => {
      throw new Error('not installed')
    })
    const { sharpProcessor } = await import('../../src/adapters/sharp/index.ts')
    await expect(sharpProcessor()(await inputOf('a.png', Buffer.alloc(9)))).rejects.toMatchObject({
      code: 'MISSING_PACKAGE',
      message: expect.stringContaining(`package ${name} `),
      hint: 'Run: npm install sharp zxing-wasm',
    })
    vi.doUnmock(name === 'sharp' ? 'sharp' : 'zxing-wasm/reader')
  })
})
