// The QR or bar code in a picture.
import type { ReadInputBarcodeFormat } from 'zxing-wasm/reader'
import { optional } from '../../ports/optional.ts'
import { INSTALL, installedWasm, type Sharp } from './load.ts'

interface FoundCode {
  readonly text: string
  /** zxing's name of the symbology: `QRCode`, `EAN13`, … */
  readonly format: string
}

export type CodeReader = (sharp: Sharp, png: string) => Promise<FoundCode | null>

/** Longest edge in px that is searched; a larger picture is scaled down to it. */
const SEARCHED = 1600

/** Left out are those that mere lines can pass for, having no check digit (ITF, Codabar …): no code beats a wrong one. */
const SYMBOLOGIES: ReadInputBarcodeFormat[] = [
  'QRCode',
  'MicroQRCode',
  'DataMatrix',
  'Aztec',
  'PDF417',
  'EANUPC',
  'Code128',
  'Code93',
  'Code39',
]

let reader: Promise<CodeReader> | undefined

/** The reader, made once per process. MISSING_PACKAGE when zxing-wasm is not installed. */
export async function loadCodeReader(): Promise<CodeReader> {
  reader ??= optional('zxing-wasm', makeReader, INSTALL)
  try {
    return await reader
  } catch (error) {
    reader = undefined
    throw error
  }
}

async function makeReader(): Promise<CodeReader> {
  const { prepareZXingModule, readBarcodes } = await import('zxing-wasm/reader')
  prepareZXingModule({ overrides: { wasmBinary: await installedWasm('reader') } })
  return async (sharp, png) => {
    const found = await readBarcodes(await greyPixels(sharp, png), {
      formats: SYMBOLOGIES,
      tryHarder: true,
      textMode: 'Plain',
    })
    // They come sorted by place, top to bottom, then left to right: every attempt takes the same.
    const first = found.find((code) => code.text !== '')
    return first === undefined ? null : { text: first.text, format: first.format }
  }
}

async function greyPixels(sharp: Sharp, png: string) {
  const { data, info } = await sharp(png, { limitInputPixels: false })
    .flatten({ background: 'white' })
    .resize(SEARCHED, SEARCHED, { fit: 'inside', withoutEnlargement: true })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const rgba = new Uint8ClampedArray(data.length * 4)
  for (let i = 0; i < rgba.length; i++) rgba[i] = data[i >> 2]!
  return { data: rgba, width: info.width, height: info.height }
}
