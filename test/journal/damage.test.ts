// K7: what a crash or a bad disk did to the files is cut off and reported, or refused with its place. Never is
// anything read that was not appended, and never is something skipped.
import { open, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { fileJournal } from '../../src/journal/index.ts'
import type { DuramenError } from '../../src/ports/errors.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { damagedAt, sample } from './damage.ts'
import { newFolder, openIn, quiet, replaceSegments, segmentsOf } from './folder.ts'

const LAST_APPEND = 3 * 25 + 'onetwo twothree three three'.length

/** How many bytes there are without the zeros at the end. */
const writtenOf = (bytes: Buffer) => bytes.findLastIndex((byte) => byte !== 0) + 1

/** Opens a damaged journal: its records and what was cut, or the refusal. */
async function openDamaged(folder: string) {
  try {
    const journal = await fileJournal(folder, { logger: quiet })
    const records = await all(journal.readAll())
    await must(journal.close())
    return { records, torn: journal.torn }
  } catch (error) {
    return { refused: error }
  }
}

describe('K7 a torn tail', () => {
  test('is cut at every byte of the last append, reported, and never read as data', async () => {
    const { folder, records, segments, last } = await sample()
    const whole = last.bytes.length - LAST_APPEND
    for (let size = whole; size < last.bytes.length; size++) {
      await replaceSegments(folder, [...segments.slice(0, -1), { ...last, bytes: last.bytes.subarray(0, size) }])
      const found = await openDamaged(folder)
      expect(found.records).toEqual(records.slice(0, -3))
      const torn = { file: last.file, offset: whole, bytes: writtenOf(last.bytes.subarray(whole, size)) }
      expect(found.torn).toEqual(size === whole ? undefined : torn)
      expect((await openDamaged(folder)).torn).toBeUndefined()
    }
  })

  test.each([1, 40, LAST_APPEND - 1])('is cut when its last %i bytes are zeros', async (zeros) => {
    const { folder, records, segments, last } = await sample()
    const kept = last.bytes.subarray(0, last.bytes.length - zeros)
    const bytes = Buffer.concat([kept, Buffer.alloc(zeros)])
    await replaceSegments(folder, [...segments.slice(0, -1), { ...last, bytes }])
    const found = await openDamaged(folder)
    expect(found.records).toEqual(records.slice(0, -3))
    expect(found.torn).toMatchObject({ file: last.file, offset: last.bytes.length - LAST_APPEND })
  })

  test('is told to the logger with file, offset and bytes', async () => {
    const { folder, segments, last } = await sample()
    await replaceSegments(folder, [...segments.slice(0, -1), { ...last, bytes: last.bytes.subarray(0, -3) }])
    const warn = vi.fn()
    await openIn(folder, { logger: { ...quiet, warn } })
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[1]).toMatchObject({
      file: last.file,
      offset: expect.any(Number),
      bytes: LAST_APPEND - 3,
    })
  })

  test('is followed by new appends as if it had never been', async () => {
    const { folder, records, segments, last } = await sample()
    await replaceSegments(folder, [...segments.slice(0, -1), { ...last, bytes: last.bytes.subarray(0, -3) }])
    const journal = await openIn(folder)
    expect(await add(journal, 'c', 0, 'again')).toBe(records.length - 2)
    await must(journal.close())
    expect((await openDamaged(folder)).records?.at(-1)?.text).toBe('again')
  })

  test('may be the header of a segment that was just begun', async () => {
    const { folder, records, segments, last } = await sample()
    const file = last.file.replace(/\d+(?=\.log)/, String(records.length + 1).padStart(16, '0'))
    for (const size of [0, 1, 31]) {
      await replaceSegments(folder, [...segments, { file, bytes: last.bytes.subarray(0, size) }])
      expect(await openDamaged(folder)).toEqual({ records, torn: { file, offset: 0, bytes: size } })
    }
    await replaceSegments(folder, [{ file: segments[0]!.file, bytes: Buffer.alloc(0) }])
    expect((await openDamaged(folder)).records).toEqual([])
  })
})

describe('K7 damage', () => {
  test('a flipped bit anywhere is cut in the last append, and refused with its place before it', async () => {
    const { folder, records, segments, last } = await sample()
    const size = segments.reduce((sum, { bytes }) => sum + bytes.length, 0)
    for (let at = 0; at < size; at += 97) {
      const [hit, offset, damaged] = damagedAt(segments, at)
      await replaceSegments(folder, damaged)
      const found = await openDamaged(folder)
      if (hit === last && offset >= hit.bytes.length - LAST_APPEND) {
        if (found.refused === undefined) expect(found.records).toEqual(records.slice(0, -3))
      } else {
        expect(found.refused).toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file: hit.file } })
      }
      if (found.refused !== undefined) {
        expect((found.refused as DuramenError).where.offset).toBeLessThanOrEqual(offset)
        const sizes = (await segmentsOf(folder)).map((segment) => segment.bytes.length)
        expect(sizes).toEqual(segments.map((segment) => segment.bytes.length))
      }
    }
  })

  test('the end of a segment is no tail when another one follows', async () => {
    const { folder, segments } = await sample()
    const [first, ...others] = segments
    const flipped = Buffer.from(first!.bytes)
    flipped[flipped.length - 1]! ^= 1
    for (const bytes of [flipped, first!.bytes.subarray(0, -1)]) {
      const changed = [{ file: first!.file, bytes }, ...others]
      await replaceSegments(folder, changed)
      expect(await openDamaged(folder)).toMatchObject({
        refused: { code: 'JOURNAL_DAMAGED', where: { file: first!.file, offset: expect.any(Number) } },
      })
      expect(await segmentsOf(folder)).toEqual(changed)
    }
  })

  test('whatever happens to the bytes, what is read was appended, from the first record on', async () => {
    const { folder, records, segments } = await sample()
    const damage = fc.record({
      segment: fc.nat(segments.length - 1),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      kind: fc.constantFrom('overwrite', 'insert', 'remove', 'truncate', 'zero'),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 2 }), async (damages) => {
        const changed = segments.map(({ file, bytes }) => ({ file, bytes: Buffer.from(bytes) }))
        for (const { segment, at, kind, bytes } of damages) {
          const target = changed[segment]!
          const offset = Math.floor(at * target.bytes.length)
          const gone = { overwrite: bytes.length, zero: bytes.length, remove: bytes.length, insert: 0, truncate: 1e9 }[
            kind
          ]
          const filler = { overwrite: bytes, insert: bytes, zero: new Uint8Array(bytes.length) }[kind as 'zero'] ?? []
          const rest = target.bytes.subarray(offset + gone)
          target.bytes = Buffer.concat([target.bytes.subarray(0, offset), Uint8Array.from(filler), rest])
        }
        await replaceSegments(folder, changed)
        const found = await openDamaged(folder)
        if (found.refused !== undefined) expect(found.refused).toMatchObject({ code: 'JOURNAL_DAMAGED' })
        else expect(found.records).toEqual(records.slice(0, found.records?.length))
        const middle = segments.slice(0, -1).some(({ bytes }, index) => !bytes.equals(changed[index]!.bytes))
        if (middle) expect(found.refused).toBeDefined()
      }),
      { numRuns: 300 },
    )
  })

  test('a missing segment is refused with the positions that are missing', async () => {
    const { folder, segments } = await sample()
    for (const missing of segments.slice(0, -1)) {
      await replaceSegments(
        folder,
        segments.filter((segment) => segment !== missing),
      )
      expect(await openDamaged(folder)).toMatchObject({
        refused: { code: 'JOURNAL_DAMAGED', message: expect.stringMatching(/records \d+ to \d+ are missing/) },
      })
    }
  })

  test('a segment of another journal is refused', async () => {
    const { folder, segments } = await sample()
    const other = await sample()
    const bytes = other.segments[1]!.bytes
    await replaceSegments(folder, [segments[0]!, { file: segments[1]!.file, bytes }, ...segments.slice(2)])
    expect(await openDamaged(folder)).toMatchObject({ refused: { code: 'JOURNAL_DAMAGED' } })
  })

  test('a newer format is refused with both versions', async () => {
    const { folder, segments } = await sample()
    const bytes = Buffer.from(segments[0]!.bytes)
    bytes[8] = 2
    const { crc32 } = await import('node:zlib')
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28)
    await replaceSegments(folder, [{ ...segments[0]!, bytes }, ...segments.slice(1)])
    expect(await openDamaged(folder)).toMatchObject({
      refused: { message: expect.stringContaining('format version 2, this version of duramen reads 1') },
    })
  })

  test('a byte that changes while the journal is open is noticed by the read', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'one', 'two', 'three')
    const [segment] = await segmentsOf(folder)
    const handle = await open(segment!.file, 'r+')
    await handle.write('X', segment!.bytes.indexOf('two'))
    await handle.close()
    await expect(all(journal.read('a'))).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      where: { file: segment!.file, offset: 32 + 24 + 1 + 3 },
    })
    expect((await all(journal.read('a', { to: 1 }))).map(({ text }) => text)).toEqual(['one'])
    await writeFile(segment!.file, '')
    await expect(all(journal.read('a'))).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  })

  test('a text that holds the bytes of a frame is text', async () => {
    // until the checksum of the first frame has no byte that UTF-8 would change: then the text holds the very frame
    const very = ({ last }: Awaited<ReturnType<typeof sample>>) =>
      last.bytes.subarray(-LAST_APPEND, 28 - LAST_APPEND).every((byte) => byte < 128)
    let found = await sample()
    for (let tries = 0; tries < 500 && !very(found); tries++) found = await sample()
    expect(very(found)).toBe(true)
    const { folder, records, segments, last } = found
    const forged = last.bytes.subarray(-LAST_APPEND).toString('latin1')
    await replaceSegments(folder, segments)
    const journal = await openIn(folder)
    await add(journal, 'd', 0, forged)
    await must(journal.close())
    const changed = await segmentsOf(folder)
    const torn = changed.at(-1)!
    await replaceSegments(folder, [...changed.slice(0, -1), { ...torn, bytes: torn.bytes.subarray(0, -1) }])
    expect((await openDamaged(folder)).records).toEqual(records)
  })
})
