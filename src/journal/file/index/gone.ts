// Which positions are read no more: a bit for each, in blocks that are there only where there was such a one. Kept beside
// the index in a file of its own, which is written anew as a whole: 8 KiB for 65,536 positions.
import { readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeSynced } from '../../files.ts'
import { makeFolders } from '../../make-folders.ts'
import { crc } from '../segments/crc.ts'

const BLOCK = 1 << 16
const BLOCK_BYTES = BLOCK / 8
/** Number of the block, then its bits. */
const KEPT_BYTES = 4 + BLOCK_BYTES
const SUM_BYTES = 4

export class Gone {
  readonly #blocks = new Map<number, Uint8Array>()
  /** Something was added since it was written. */
  changed = false

  has(position: number): boolean {
    const block = this.#blocks.get(Math.floor(position / BLOCK))
    const bit = position % BLOCK
    return block !== undefined && (block[bit >> 3]! & (1 << (bit & 7))) !== 0
  }

  /** The last of them; 0 for none. A trim is one itself. */
  get newest(): number {
    let last = -1
    for (const number of this.#blocks.keys()) if (number > last) last = number
    const block = this.#blocks.get(last)
    if (block === undefined) return 0
    const byte = block.findLastIndex((bits) => bits !== 0)
    return last * BLOCK + byte * 8 + 31 - Math.clz32(block[byte]!)
  }

  add(position: number): void {
    const number = Math.floor(position / BLOCK)
    const block = this.#blocks.get(number) ?? new Uint8Array(BLOCK_BYTES)
    this.#blocks.set(number, block)
    const bit = position % BLOCK
    block[bit >> 3]! |= 1 << (bit & 7)
    this.changed = true
  }

  async write(path: string, salt: number): Promise<void> {
    const bytes = Buffer.alloc(this.#blocks.size * KEPT_BYTES + SUM_BYTES)
    let at = 0
    for (const [number, block] of this.#blocks) {
      bytes.writeUInt32LE(number, at)
      bytes.set(block, at + 4)
      at += KEPT_BYTES
    }
    bytes.writeUInt32LE(crc(bytes, 0, at, salt), at)
    this.changed = false
    try {
      await makeFolders(dirname(path))
      await writeSynced(`${path}.new`, bytes)
      await rename(`${path}.new`, path)
    } catch (error) {
      this.changed = true
      throw error
    }
  }

  /** Whether it was there, as it was written. */
  async read(path: string, salt: number): Promise<boolean> {
    const bytes = await readFile(path).catch(() => undefined)
    const end = (bytes?.length ?? 0) - SUM_BYTES
    if (bytes === undefined || end < 0 || end % KEPT_BYTES !== 0) return false
    if (crc(bytes, 0, end, salt) !== bytes.readUInt32LE(end)) return false
    for (let at = 0; at < end; at += KEPT_BYTES) {
      this.#blocks.set(bytes.readUInt32LE(at), Uint8Array.from(bytes.subarray(at + 4, at + KEPT_BYTES)))
    }
    return true
  }
}
