// sharp and zxing-wasm are optional peers: loaded at the first image, so that who needs neither installs neither.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { optional } from '../../ports/optional.ts'

export type Sharp = typeof import('sharp')['default']

/** sharp, with its cache off. MISSING_PACKAGE when it is not installed. */
export async function loadSharp(): Promise<Sharp> {
  const { default: sharp } = await optional('sharp', () => import('sharp'), INSTALL)
  // The cache (of the whole process) knows a file by its path alone: for the next file under /proc/self/fd/N it gives
  // the pixels of the one before. Off anew for each image, in case the host turned it on.
  sharp.cache(false)
  return sharp
}

/** Both, for who needs one needs the other. */
export const INSTALL = 'sharp zxing-wasm'

/** The .wasm file of the installed zxing-wasm. Left to itself it would fetch one from a CDN. */
export function installedWasm(part: 'reader' | 'writer'): Promise<Uint8Array> {
  return readFile(createRequire(import.meta.url).resolve(`zxing-wasm/${part}/zxing_${part}.wasm`))
}
