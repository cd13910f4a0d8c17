// What the index tells of records that the log has lost. It is a cache and may be missing, damaged, or of another log (K3);
// then it tells nothing. Nothing of it is changed here.
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entry } from '../index/entry.ts'
import { hashOf } from '../index/names.ts'
import { placeIn, Run } from '../index/run.ts'
import { decodeFrame, frameEnd } from '../segments/format.ts'
import { readFrom } from '../segments/segments.ts'

const NAME = /^(\d{16})-(\d{16})\.run$/
/** So many blocks of entries are read at once. */
const BLOCKS = 12

export class IndexEvidence {
  readonly #runs: readonly Run[]

  private constructor(runs: readonly Run[]) {
    this.#runs = runs
  }

  /** Its files that follow one another from the first position on, as far as the log says nothing else. */
  static async open(folder: string, salt: number, segmentFile: (first: number) => string): Promise<IndexEvidence> {
    const names = (await readdir(folder).catch(() => [])).filter((name) => NAME.test(name))
    const found = names.map((name) => ({ name, range: NAME.exec(name)!.slice(1).map(Number) as [number, number] }))
    found.sort((one, other) => one.range[0] - other.range[0] || other.range[1] - one.range[1])
    const runs: Run[] = []
    for (const { name, range } of found) {
      if (range[0] !== (runs.at(-1)?.head.last ?? 0) + 1) continue
      const run = await Run.open(join(folder, name), salt).catch(() => undefined)
      if (run === undefined) continue
      if (await contradicted(run, salt, segmentFile)) await run.retire()
      else runs.push(run)
    }
    return new IndexEvidence(runs)
  }

  /** The position up to which it goes; 0 for none. */
  get last(): number {
    return this.#runs.at(-1)?.head.last ?? 0
  }

  /** The position of a record whose frame begins at `offset`; undefined where it is not known. */
  async positionOf(stream: string, seq: number, offset: number): Promise<number | undefined> {
    for (const { run, entry } of await this.#entries(stream)) {
      if (seq < entry.first || seq >= entry.first + entry.count) continue
      const place = await run.places(entry.at + seq - entry.first, 1).then(
        (bytes) => placeIn(bytes, 0),
        () => undefined,
      )
      if (place?.offset === offset) return place.position
    }
    return undefined
  }

  /** The seq before which a stream was trimmed. */
  async trimmedBefore(stream: string): Promise<number> {
    return Math.max(1, ...(await this.#entries(stream)).map(({ entry }) => entry.trimmed + 1))
  }

  /** Calls `each` with the streams that it knows and the seq of a record of each; several times for some. */
  async lasts(each: (stream: string, seq: number) => void): Promise<void> {
    for (const run of this.#runs) {
      const { blocks } = run.head
      for (let block = 0; block < blocks; block += BLOCKS) {
        const entries = await run.entries(block, Math.min(blocks, block + BLOCKS)).catch(() => [])
        for (const { name, first, count } of entries) if (count > 0) each(name, first + count - 1)
      }
    }
  }

  async close(): Promise<void> {
    for (const run of this.#runs) await run.retire()
  }

  async #entries(stream: string): Promise<{ run: Run; entry: Entry }[]> {
    const hash = hashOf(stream)
    const found: { run: Run; entry: Entry }[] = []
    for (const run of this.#runs) {
      const entry = await run.find(stream, hash).catch(() => undefined)
      if (entry !== undefined) found.push({ run, entry })
    }
    return found
  }
}

/** Whether a whole frame is where it says that its last one is, and is another one. */
async function contradicted({ head }: Run, salt: number, segmentFile: (first: number) => string): Promise<boolean> {
  const { offset, end, sum, segments } = head
  const handle = await open(segmentFile(segments.at(-1)![0]), 'r').catch(() => undefined)
  if (handle === undefined) return false
  try {
    const bytes = await readFrom(handle, offset, end)
    if (bytes.length < end - offset || frameEnd(bytes, 0) !== bytes.length) return false
    return bytes.readUInt32LE(4) !== sum && decodeFrame(bytes, 0, bytes.length, salt, offset) !== undefined
  } catch {
    return false
  } finally {
    await handle.close()
  }
}
