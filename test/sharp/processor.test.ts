import { dirname } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { sharpProcessor } from '../../src/adapters/sharp/index.ts'
import { code, fileOf, inputOf, noise, plain } from './images.ts'

const process = sharpProcessor()

// In every test here: nothing is fetched, the .wasm comes from the disk.
const fetched = vi.fn(() => {
  throw new Error('no network')
})
beforeAll(() => void vi.stubGlobal('fetch', fetched))
afterAll(() => {
  vi.unstubAllGlobals()
  expect(fetched).not.toHaveBeenCalled()
})

describe('outputs', () => {
  it('are the image and its thumbnail, as PNG files in the work folder', async () => {
    const input = await inputOf('a.jpg', await plain(800, 600).jpeg().toBuffer())
    const { outputs, codes, info } = await process(input)
    expect(outputs.map((output) => dirname(fileOf(output)))).toEqual([input.workDir, input.workDir])
    const [image, thumbnail] = await Promise.all(outputs.map((output) => sharp(fileOf(output)).metadata()))
    expect(image).toMatchObject({ format: 'png', width: 800, height: 600 })
    expect(thumbnail).toMatchObject({ format: 'png', width: 256, height: 192 })
    expect(codes).toEqual([null, null])
    expect(info).toEqual({ format: 'jpeg', width: 800, height: 600, bytes: input.size, codeFormat: null })
  })

  it('have a thumbnail of the size asked for, never an enlarged one', async () => {
    const size = async (px: number) => {
      const { outputs } = await sharpProcessor({ thumbnailSize: px })(
        await inputOf('a.png', await plain(100, 50).png().toBuffer()),
      )
      return (await sharp(fileOf(outputs[1])).metadata()).width
    }
    expect(await size(64)).toBe(64)
    expect(await size(500)).toBe(100)
  })

  it('are the same at every attempt, over what an earlier one left', async () => {
    const input = await inputOf('a.png', await noise(300, 200).png().toBuffer())
    const read = async () =>
      Promise.all((await process(input)).outputs.map((output) => sharp(fileOf(output)).raw().toBuffer()))
    expect(await read()).toEqual(await read())
  })

  it('stand upright', async () => {
    const top = await plain(40, 20, 'red').extend({ bottom: 20, background: 'blue' }).png().toBuffer()
    for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const turned = await sharp(top).withMetadata({ orientation }).jpeg({ quality: 100 }).toBuffer()
      const expected = await sharp(turned).autoOrient().raw().toBuffer({ resolveWithObject: true })
      const { outputs, info } = await process(await inputOf('turned.jpg', turned))
      const raw = await sharp(fileOf(outputs[0])).raw().toBuffer()
      expect(raw.equals(expected.data), `orientation ${orientation}`).toBe(true)
      expect(info).toMatchObject({ width: 40, height: 40 })
    }
  })

  it('tell width and height of the upright image', async () => {
    const side = await plain(90, 30).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    expect((await process(await inputOf('side.jpg', side))).info).toMatchObject({ width: 30, height: 90 })
  })

  it('carry no metadata', async () => {
    const bytes = await plain(64, 64)
      .withExif({ IFD0: { Copyright: 'secret' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' } })
      .withIccProfile('p3')
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .jpeg()
      .toBuffer()
    expect(await sharp(bytes).metadata()).toHaveProperty('exif')
    for (const output of (await process(await inputOf('private.jpg', bytes))).outputs) {
      const kept = await sharp(fileOf(output)).metadata()
      for (const field of ['exif', 'icc', 'xmp', 'iptc', 'orientation', 'comments'])
        expect(kept).not.toHaveProperty(field)
    }
  })

  it('are the first frame of an animation', async () => {
    const frames = [await plain(20, 20, 'red').png().toBuffer(), await plain(20, 20, 'blue').png().toBuffer()]
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer()
    expect((await sharp(gif).metadata()).pages).toBe(2)
    const { outputs, info } = await process(await inputOf('a.gif', gif))
    expect(info).toMatchObject({ format: 'gif', width: 20, height: 20 })
    expect([...(await sharp(fileOf(outputs[0])).removeAlpha().raw().toBuffer()).subarray(0, 3)]).toEqual([255, 0, 0])
  })

  it.each(['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const)('come from %s', async (format) => {
    const bytes = await plain(120, 80).toFormat(format).toBuffer()
    expect((await process(await inputOf(`a.${format}`, bytes))).info).toMatchObject({ format, width: 120, height: 80 })
  })
})

describe('codes', () => {
  it.each([
    ['QRCode', 'BOX-0001'],
    ['QRCode', 'Größe 42 ✓ 箱'],
    ['QRCode', 'x'.repeat(500)],
    ['DataMatrix', 'PART 5521/B'],
    ['Aztec', 'ticket'],
    ['PDF417', 'pass 17'],
    ['EAN13', '4006381333931'],
    ['Code128', 'PALLET-17'],
    ['Code39', 'CODE39'],
  ] as const)('%s: %s is read back for both outputs', async (format, text) => {
    const picture = plain(1000, 900).composite([{ input: await code(text, format) }])
    const { codes, info } = await process(await inputOf('code.jpg', await picture.jpeg().toBuffer()))
    expect(codes).toEqual([text, text])
    expect((info as { codeFormat: string }).codeFormat).toContain(format)
  })

  it('are found in a large picture, in one lying on its side, and dark on nothing', async () => {
    const qr = await code('HERE', 'QRCode', 8)
    const large = await plain(4000, 3000)
      .composite([{ input: qr }])
      .jpeg()
      .toBuffer()
    const side = await plain(600, 400)
      .composite([{ input: qr }])
      .withMetadata({ orientation: 8 })
      .jpeg()
      .toBuffer()
    const ink = await sharp(qr).negate().greyscale().toBuffer({ resolveWithObject: true })
    const onNothing = await plain(ink.info.width, ink.info.height, 'black').joinChannel(ink.data).png().toBuffer()
    for (const bytes of [large, side, onNothing]) {
      expect((await process(await inputOf('a', bytes))).codes).toEqual(['HERE', 'HERE'])
    }
  })

  it('of several the topmost is taken', async () => {
    const picture = await plain(900, 900)
      .composite([
        { input: await code('BELOW'), left: 600, top: 600 },
        { input: await code('4006381333931', 'EAN13'), left: 40, top: 40 },
      ])
      .png()
      .toBuffer()
    expect((await process(await inputOf('two.png', picture))).codes).toEqual(['4006381333931', '4006381333931'])
  })

  it('are not seen in noise', async () => {
    expect((await process(await inputOf('noise.png', await noise(1200, 1200).png().toBuffer()))).codes).toEqual([
      null,
      null,
    ])
  })
})
