import { join } from 'node:path'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, optionsGiven } from '../../ports/given.ts'
import type { ImageProcessor, ProcessInput } from '../../ports/image.ts'
import { loadCodeReader } from './code.ts'
import { decodeFailure, ioFailure, notAnImage } from './failures.ts'
import { ACCEPTED, imageFormat } from './format.ts'
import { loadSharp, type Sharp } from './load.ts'

/** Options of {@link sharpProcessor}. */
export interface SharpProcessorOptions {
  /** Width × height above which an image is refused, undecoded. Default 100,000,000. */
  maxPixels?: number
  /** Longest edge of the thumbnail in px; smaller images are not enlarged. Default 256. */
  thumbnailSize?: number
}

/**
 * A processor for photos and scans. Takes JPEG, PNG, WebP, TIFF, GIF, AVIF and, where sharp's build can, HEIF;
 * of several pages or frames the first. Gives two outputs, both PNG, upright, in sRGB, without metadata: the image in
 * full size, then a thumbnail. Both carry as their code the text of the QR or bar code in the picture, or null; of
 * several codes the topmost. `info` is `{ format, width, height, bytes, codeFormat }`: format and size in bytes of
 * the original, width and height in px of the upright image.
 *
 * Needs the packages sharp and zxing-wasm, loaded at the first image; turns sharp's cache off for the whole process.
 *
 * Errors: BAD_OPTION at once; then NOT_AN_IMAGE (empty, unknown format, truncated, damaged, too many pixels),
 * NO_SPACE and IO (retryable), ABORTED, MISSING_PACKAGE.
 */
export function sharpProcessor(options?: SharpProcessorOptions): ImageProcessor {
  const given = optionsGiven('sharpProcessor', options, 'Leave it out, or give an object: { thumbnailSize: 256 }.')
  assertNames('sharpProcessor', given, ['maxPixels', 'thumbnailSize'])
  const maxPixels = positive('maxPixels', given.maxPixels ?? 100_000_000)
  const thumbnailSize = positive('thumbnailSize', given.thumbnailSize ?? 256)

  return async (input) => {
    const sharp = await loadSharp()
    const readCode = await loadCodeReader()
    const image = join(input.workDir, 'image.png')
    const thumbnail = join(input.workDir, 'thumbnail.png')

    stopIfAborted(input)
    const format = await acceptedFormat(input)
    stopIfAborted(input)
    const { width, height } = await normalise(sharp, input, format, maxPixels, image)
    stopIfAborted(input)
    await ours(input, () => shrink(sharp, image, thumbnailSize, thumbnail))
    stopIfAborted(input)
    const code = await ours(input, () => readCode(sharp, image))

    const text = code?.text ?? null
    return {
      outputs: [{ file: image }, { file: thumbnail }],
      codes: [text, text],
      info: { format, width, height, bytes: input.size, codeFormat: code?.format ?? null },
    }
  }
}

async function acceptedFormat({ name, path }: ProcessInput): Promise<string> {
  const format = await imageFormat(path).catch((error) => {
    throw ioFailure(name, error)
  })
  if (format === 'empty') throw notAnImage(name, 'not an image: 0 bytes')
  if (format === 'unknown')
    throw notAnImage(name, `not an image: unsupported format (accepted: ${ACCEPTED.join(', ')})`)
  return format
}

/** Decodes every pixel, so that no damage passes unseen; file to file, so that memory stays small. */
async function normalise(sharp: Sharp, input: ProcessInput, format: string, maxPixels: number, to: string) {
  try {
    // Not 'warning': it refuses what some cameras write every day.
    return await sharp(input.path, { failOn: 'error', limitInputPixels: maxPixels }).autoOrient().png().toFile(to)
  } catch (error) {
    throw decodeFailure(input.name, format, maxPixels, error)
  }
}

function shrink(sharp: Sharp, from: string, size: number, to: string) {
  return sharp(from, { limitInputPixels: false })
    .resize(size, size, { fit: 'inside', withoutEnlargement: true })
    .png()
    .toFile(to)
}

/** From the normalised image on, no failure is the picture's fault. */
async function ours<T>(input: ProcessInput, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw ioFailure(input.name, error)
  }
}

function stopIfAborted({ name, signal }: ProcessInput): void {
  if (!signal.aborted) return
  throw new DuramenError('ABORTED', `${name}: processing was called off`, {
    cause: signal.reason,
    where: { file: name },
    retryable: true,
    hint: 'Process it again: nothing was kept.',
  })
}

function positive(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new DuramenError('BAD_OPTION', `sharpProcessor: ${option} is ${value}`, {
    hint: 'Give a whole number above 0.',
  })
}
