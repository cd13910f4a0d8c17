// Pictures for the demo: good ones with codes, and one of each kind of trouble. The same bytes every time.
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WriteInputBarcodeFormat } from 'zxing-wasm/writer'
import { INSTALL, installedWasm, loadSharp, type Sharp } from '../adapters/sharp/load.ts'
import { makeFolders } from '../journal/make-folders.ts'
import { DuramenError } from '../ports/errors.ts'
import { optional } from '../ports/optional.ts'

interface Picture {
  name: string
  text: string
  symbology: WriteInputBarcodeFormat
  width: number
  height: number
  background: string
  /** Stored lying on its side, with the EXIF orientation that sets it upright again. */
  turned?: true
}

const PICTURES: readonly Picture[] = [
  { name: 'box 01.jpg', text: 'BOX-0001', symbology: 'QRCode', width: 640, height: 480, background: '#7aa874' },
  { name: 'box 02.png', text: 'BOX-0002', symbology: 'QRCode', width: 480, height: 640, background: '#d9a05b' },
  { name: 'box 03.jpg', text: 'BOX-0003', symbology: 'QRCode', width: 1600, height: 1200, background: '#5b7fd9' },
  { name: 'Käse.jpg', text: '4006381333931', symbology: 'EAN13', width: 800, height: 600, background: '#e8d36b' },
  { name: 'pallet-17.png', text: 'PALLET-17', symbology: 'Code128', width: 900, height: 400, background: '#8d6e63' },
  { name: 'part.png', text: 'PART 5521/B', symbology: 'DataMatrix', width: 320, height: 320, background: '#b0bec5' },
  {
    name: 'shelf.jpg',
    text: 'https://example.com/shelf/9',
    symbology: 'QRCode',
    width: 1024,
    height: 768,
    background: '#c97b84',
  },
  {
    name: 'turned.jpg',
    text: 'TURNED',
    symbology: 'QRCode',
    width: 600,
    height: 900,
    background: '#6a8caf',
    turned: true,
  },
]

/**
 * Writes the demo's images into `folder`, which is created when missing: eight JPEG and PNG pictures with a QR or bar
 * code, one of them once more under another name, a JPEG cut short, and a text that calls itself `notes.jpg`.
 * Each appears complete, by a rename; files of these names are replaced. Returns the names in the order of writing.
 * Errors: MISSING_PACKAGE, IO.
 */
export async function writeSamples(folder: string): Promise<string[]> {
  const files = await samples()
  try {
    await makeFolders(folder)
    for (const [name, bytes] of files) {
      await writeFile(join(folder, `.${name}`), bytes)
      await rename(join(folder, `.${name}`), join(folder, name))
    }
  } catch (cause) {
    const reason = (cause as Error).message
    throw new DuramenError('IO', `the demo's images cannot be written: ${reason}`, {
      cause,
      where: { file: folder },
      hint: 'Name a folder that can be written.',
    })
  }
  return files.map(([name]) => name)
}

async function samples(): Promise<[name: string, bytes: Uint8Array][]> {
  const sharp = await loadSharp()
  const draw = await optional('zxing-wasm', codeWriter, INSTALL)
  const files: [string, Uint8Array][] = []
  for (const picture of PICTURES) files.push([picture.name, await paint(sharp, picture, await draw(picture))])
  const whole = files[0]![1]
  return [
    ...files,
    ['copy of box 01.jpg', whole],
    ['cut short.jpg', whole.subarray(0, whole.length / 2)],
    ['notes.jpg', Buffer.from('Call the warehouse about box 4.\n')],
  ]
}

async function codeWriter() {
  const { prepareZXingModule, writeBarcode } = await import('zxing-wasm/writer')
  prepareZXingModule({ overrides: { wasmBinary: await installedWasm('writer') } })
  return async ({ text, symbology }: Picture): Promise<Buffer> => {
    const { image } = await writeBarcode(text, { format: symbology, scale: 4 })
    return Buffer.from(await image!.arrayBuffer())
  }
}

async function paint(sharp: Sharp, picture: Picture, code: Buffer): Promise<Buffer> {
  const { name, width, height, background, turned } = picture
  const upright = sharp({ create: { width, height, channels: 3, background } }).composite([{ input: code }])
  if (name.endsWith('.png')) return upright.png().toBuffer()
  if (turned === undefined) return upright.jpeg().toBuffer()
  return sharp(await upright.png().toBuffer())
    .rotate(270)
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()
}
