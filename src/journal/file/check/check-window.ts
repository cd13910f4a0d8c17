// A file as it is looked through: a piece of it at a time (K9), and also where the disk can't read it: what can't be read
// counts as zeros, which no frame has.
import { type FileHandle, open } from 'node:fs/promises'
import { readFrom } from '../segments/segments.ts'

const PIECE = 1 << 20
const PAGE = 4096

export class Window {
  /** How much of the file is looked at. */
  readonly size: number
  /** The piece that is there, and where in the file it begins. */
  buffer: Buffer = Buffer.alloc(0)
  start = 0
  /** Is told where a piece begins. */
  onLoad: (offset: number) => void = () => {}
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.size = size
  }

  /** `until`: what is behind is not looked at. */
  static async open(file: string, until = Number.POSITIVE_INFINITY): Promise<Window> {
    const handle = await open(file, 'r')
    try {
      return new Window(handle, Math.min((await handle.stat()).size, until))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  has(offset: number, bytes: number): boolean {
    return offset >= this.start && offset + bytes <= this.start + this.buffer.length
  }

  /** Makes a piece that begins at `offset` the one that is there; it holds so many bytes unless the file ends before. */
  async load(offset: number, bytes: number): Promise<void> {
    const end = Math.min(this.size, offset + Math.max(bytes, PIECE))
    this.buffer = await this.#read(offset, end)
    this.start = offset
    this.onLoad(offset)
  }

  /** Where the zeros begin that it ends with; at `from` where there are only zeros. */
  async written(from: number): Promise<number> {
    let end = from
    for (let at = from; at < this.size; at += PIECE) {
      await this.load(at, Math.min(PIECE, this.size - at))
      let last = Math.min(this.buffer.length, PIECE)
      while (last > 0 && this.buffer[last - 1] === 0) last--
      if (last > 0) end = at + last
    }
    return end
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #read(start: number, end: number): Promise<Buffer> {
    try {
      return await readFrom(this.#handle, start, end)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error
      if (end - start > PAGE) return await this.#readPages(start, end)
      return Buffer.alloc(end - start)
    }
  }

  async #readPages(start: number, end: number): Promise<Buffer> {
    const pages: Buffer[] = []
    for (let at = start; at < end; ) {
      const next = Math.min(end, (Math.floor(at / PAGE) + 1) * PAGE)
      pages.push(await this.#read(at, next))
      at = next
    }
    return Buffer.concat(pages)
  }
}
