import { execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sharpProcessor } from '../../src/adapters/sharp/index.ts'
import { folder, inputOf, noise } from './images.ts'

const peak = () => (globalThis.process.resourceUsage().maxRSS * 1024) / 2 ** 20

/** 6000 × 6000 of noise, made by another process: what that takes must not count here. */
async function large(): Promise<string> {
  const file = join(await folder(), 'large.jpg')
  const script = `
    import sharp from 'sharp'
    const create = { width: 1500, height: 1500, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 60 } }
    const tile = await sharp({ create }).png().toBuffer()
    await sharp({ create: { width: 6000, height: 6000, channels: 3, background: 'grey' } })
      .composite([{ input: tile, tile: true }]).jpeg().toFile(${JSON.stringify(file)})`
  execFileSync(globalThis.process.execPath, ['--input-type=module', '-e', script])
  return file
}

// Noise does not shrink: its pixels take 103 MiB, the PNG written from them about as much.
it('a picture of 36 megapixels goes through without being held whole', async () => {
  const process = sharpProcessor()
  await process(await inputOf('warm-up.png', await noise(1600, 1600).png().toBuffer()))
  const path = await large()
  const { size } = await stat(path)
  const before = peak()
  const result = await process({ ...(await inputOf('large.jpg', Buffer.alloc(0))), path, size })
  expect(result.info).toMatchObject({ width: 6000, height: 6000 })
  expect(peak() - before).toBeLessThan(103)
})
