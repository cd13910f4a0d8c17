// Real images and real folders for the tests of the sharp processor.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll } from 'vitest'
import { prepareZXingModule, type WriterOptions, writeBarcode } from 'zxing-wasm/writer'
import { installedWasm } from '../../src/adapters/sharp/load.ts'
import type { OutputSource, ProcessInput } from '../../src/ports/image.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))))

/** A new folder, removed after the tests of the file. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'duramen-sharp-'))
  folders.push(path)
  return path
}

/** A ProcessInput over `bytes`, written to a file called `name` in a new folder. */
export async function inputOf(
  name: string,
  bytes: Uint8Array,
  more: Partial<ProcessInput> = {},
): Promise<ProcessInput> {
  const path = join(await folder(), name)
  await writeFile(path, bytes)
  return {
    name,
    path,
    size: bytes.length,
    sha256: '',
    workDir: await folder(),
    key: name,
    attempt: 1,
    signal: new AbortController().signal,
    ...more,
  }
}

export async function code(text: string, format: WriterOptions['format'] = 'QRCode', scale = 4): Promise<Buffer> {
  prepareZXingModule({ overrides: { wasmBinary: await installedWasm('writer') } })
  const { image } = await writeBarcode(text, { format, scale })
  return Buffer.from(await image!.arrayBuffer())
}

export function plain(width: number, height: number, background = '#7aa874') {
  return sharp({ create: { width, height, channels: 3, background } })
}

/** Noise, the same every time. */
export function noise(width: number, height: number) {
  const pixels = Buffer.alloc(width * height * 3)
  let state = 1
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    pixels[i] = state >>> 24
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

export function fileOf(output: OutputSource | undefined): string {
  if (output === undefined || !('file' in output)) throw new Error('the output is no file')
  return output.file
}
