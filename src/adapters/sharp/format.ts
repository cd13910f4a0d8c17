// The first bytes decide what a file is, before any decoder sees it: sharp would also render SVG, whose XML may refer
// to other files, and whatever else its build of libvips can open.
import { open } from 'node:fs/promises'

type Test = (head: Buffer) => boolean
const at =
  (offset: number, ...texts: string[]): Test =>
  (head) =>
    texts.some((text) => head.subarray(offset, offset + text.length).equals(Buffer.from(text, 'latin1')))

const FORMATS: Readonly<Record<string, Test>> = {
  jpeg: at(0, '\xff\xd8\xff'),
  png: at(0, '\x89PNG\r\n\x1a\n'),
  webp: (head) => at(0, 'RIFF')(head) && at(8, 'WEBP')(head),
  tiff: at(0, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'),
  gif: at(0, 'GIF87a', 'GIF89a'),
  avif: at(4, 'ftypavif', 'ftypavis'),
  heif: at(4, 'ftypheic', 'ftypheix', 'ftypmif1', 'ftypmsf1'),
}

/** The formats that are let in. */
export const ACCEPTED = Object.keys(FORMATS)

/** One of ACCEPTED, `empty` for a file of 0 bytes, `unknown` for all else. Rejects with the file system's error. */
export async function imageFormat(path: string): Promise<string> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0)
  if (bytesRead === 0) return 'empty'
  return ACCEPTED.find((format) => FORMATS[format]?.(buffer)) ?? 'unknown'
}
