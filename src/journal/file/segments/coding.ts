// The codecs of one journal at work: texts become bytes on their way to the disk, and texts again.
//
// K12 what a codec refuses to encode is never written in another way; what can't be decoded is never taken for data.
import { DuramenError, type ErrorPlace, isDuramenError } from '../../../ports/errors.ts'
import { badOption, shown } from '../../../ports/given.ts'
import { textOf } from '../../../ports/thrown.ts'
import type { FrameCodec, FramePlace } from '../../frame-codec.ts'
import type { Coded, Frame } from './format.ts'

const UINT32 = 2 ** 32

export class Coding {
  /** What texts are written with; undefined: as they are. */
  readonly codec: FrameCodec | undefined
  readonly #byId: ReadonlyMap<number, FrameCodec>

  /** The first one writes, all of them read. */
  constructor(codecs: readonly FrameCodec[]) {
    this.codec = codecs[0]
    this.#byId = new Map(codecs.map((codec) => [codec.id, codec]))
  }

  /** Throws DuramenError: what the codec throws, or CODEC_FAILED. There must be a codec. */
  encode(text: string, place: FramePlace): Coded {
    const { stream, seq } = place
    const codec = this.codec!
    const encoded = attempt('encode', { stream, seq }, () => codec.encode(Buffer.from(text), place))
    const { bytes, keyId } = encoded ?? {}
    if (!(bytes instanceof Uint8Array))
      throw failed('encode', { stream, seq }, 'it gave no bytes; it must not be async')
    if (!Number.isInteger(keyId) || keyId! < 0 || keyId! >= UINT32) {
      throw failed('encode', { stream, seq }, `${shown(keyId)} is no key id`)
    }
    return { codec: codec.id, keyId: keyId!, bytes }
  }

  /**
   * The text of a frame that ends at `end` in the buffer; undefined when its key is gone for good. Throws CODEC_MISSING,
   * CODEC_FAILED, or what the codec throws.
   */
  decode(frame: Frame, kind: FramePlace['kind'], buffer: Buffer, end: number, where: ErrorPlace): string | undefined {
    if (frame.codec === 0) return buffer.toString('utf8', frame.textAt, end)
    const { stream, seq, keyId } = frame
    const place = { ...where, stream, seq }
    const codec = this.#byId.get(frame.codec)
    if (codec === undefined) throw missing(frame.codec, place)
    const bytes = attempt('decode', place, () =>
      codec.decode(buffer.subarray(frame.textAt, end), { stream, seq, kind }, keyId),
    )
    if (bytes === undefined) return undefined
    if (!(bytes instanceof Uint8Array)) throw failed('decode', place, 'it gave no bytes; it must not be async')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  }
}

/** The codecs that an option names. Throws BAD_OPTION. */
export function codecsGiven(option: FrameCodec | readonly FrameCodec[] | undefined): readonly FrameCodec[] {
  if (option === undefined) return []
  const codecs = (Array.isArray(option) ? option : [option]) as readonly FrameCodec[]
  const hint = 'Give aesGcm({ keys }), or { id, encode, decode } with an id from 1 to 255; each id once.'
  for (const codec of codecs) {
    const { id, encode, decode } = Object(codec) as Partial<FrameCodec>
    if (typeof encode !== 'function' || typeof decode !== 'function') throw badOption('codec', codec, 'is none', hint)
    if (!Number.isInteger(id) || id! < 1 || id! > 255) throw badOption('codec', id, 'is no id of a codec', hint)
  }
  const ids = codecs.map(({ id }) => id)
  if (codecs.length > 0 && new Set(ids).size === ids.length) return codecs
  throw badOption('codec', ids, 'are their ids', hint)
}

function attempt<T>(what: 'encode' | 'decode', where: ErrorPlace, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!isDuramenError(error)) throw failed(what, where, textOf(error), error)
    const { code, message, retryable, hint, cause } = error
    const place = { ...where, ...error.where }
    throw new DuramenError(code, message, { where: place, retryable, cause, ...(hint !== undefined && { hint }) })
  }
}

function failed(what: string, where: ErrorPlace, why: string, cause?: unknown): DuramenError {
  const { stream, seq } = where
  return new DuramenError('CODEC_FAILED', `The codec could not ${what} record ${seq} of ${stream}: ${why}`, {
    where,
    cause,
    hint: 'See to the codec, or to where it has its keys from; nothing was changed.',
  })
}

function missing(id: number, where: ErrorPlace): DuramenError {
  const { stream, seq } = where
  return new DuramenError('CODEC_MISSING', `Record ${seq} of ${stream} is written with codec ${id}`, {
    where,
    hint: `Open the journal with that codec: fileJournal(dir, { codec: ${id === 1 ? 'aesGcm({ keys })' : '…'} }).`,
  })
}
