// Encryption of what a journal keeps (K12): AES-256-GCM by node:crypto, with keys from outside.
//
// bytes   12 nonce, random | ciphertext | 16 tag
//
// The tag covers stream, seq, kind and key id as well: bytes that were copied to another place of the journal do not open
// there. Random nonces are good for 2^32 records under one key.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { DuramenError, type ErrorPlace } from '../../ports/errors.ts'
import { assertFunction, assertNames, optionsGiven, shown } from '../../ports/given.ts'
import { erased } from '../check.ts'
import type { FrameCodec, FramePlace } from '../frame-codec.ts'

const CODEC = 1
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const SECRET_BYTES = 32
const UINT32 = 2 ** 32

/** A key, and the number by which it is asked for again. */
export interface Key {
  /** 0 to 4,294,967,295; stands in plain text in every record that was encrypted with it. */
  readonly id: number
  /** 32 random bytes. */
  readonly secret: Uint8Array
}

/**
 * The keys of a journal. Without `id`: the one to encrypt records of that stream with; with it: the one that has that id.
 * Undefined: it is gone for good, and what it has encrypted counts as erased. A function that does not know should throw.
 * Called for every record, so it had better remember.
 */
export type Keys = (stream: string, id?: number) => Key | undefined

/** How `aesGcm` encrypts. */
export interface AesGcmOptions {
  /** Where keys come from: `fileKeys(folder)`, or a function of your own. */
  readonly keys: Keys
}

/**
 * The codec that encrypts with AES-256-GCM, for `fileJournal(dir, { codec })`. Texts of commits and of snapshots are
 * encrypted; names of streams, seqs, times of timers and sizes are not. A record that does not open with its key is
 * WRONG_KEY, never data. Throws BAD_OPTION.
 */
export function aesGcm(options: AesGcmOptions): FrameCodec {
  const given = optionsGiven('aesGcm', options, 'Give { keys }.')
  assertNames('aesGcm', given, ['keys'])
  const { keys } = given
  assertFunction('keys', keys, 'Give fileKeys(folder), or (stream, id) => ({ id, secret }).')
  return {
    id: CODEC,
    encode(bytes, place) {
      const key = keyOf(keys!, place)
      if (key === undefined) throw erased(place.stream)
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, key.secret, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(bound(place, key.id))
      const begun = cipher.update(bytes)
      const rest = cipher.final()
      return { bytes: Buffer.concat([nonce, begun, rest, cipher.getAuthTag()]), keyId: key.id }
    },
    decode(bytes, place, keyId) {
      const key = keyOf(keys!, place, keyId)
      if (key === undefined) return undefined
      const end = bytes.length - TAG_BYTES
      if (end < NONCE_BYTES) throw wrongKey(place, keyId)
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv(CIPHER, key.secret, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(bound(place, keyId))
      decipher.setAuthTag(bytes.subarray(end))
      const text = decipher.update(bytes.subarray(NONCE_BYTES, end))
      try {
        decipher.final()
      } catch (cause) {
        throw wrongKey(place, keyId, cause)
      }
      return text
    },
  }
}

/** What the tag covers beside the text. */
function bound({ stream, seq, kind }: FramePlace, keyId: number): Buffer {
  return Buffer.from(`${CODEC} ${kind} ${keyId} ${seq} ${stream}`)
}

/** No error says anything of a secret but its length. */
function keyOf(keys: Keys, { stream, seq }: FramePlace, wanted?: number): Key | undefined {
  const key = keys(stream, wanted)
  if (key === undefined) return undefined
  const { id, secret } = Object(key) as Partial<Key>
  const where = { stream, seq }
  if (!(secret instanceof Uint8Array)) throw badKey(where, 'secret of a key is no Uint8Array; keys must not be async')
  if (secret.length !== SECRET_BYTES)
    throw badKey(where, `secret has ${secret.length} bytes instead of ${SECRET_BYTES}`)
  if (!Number.isInteger(id) || id! < 0 || id! >= UINT32) throw badKey(where, `id of a key is ${shown(id)}`)
  if (wanted !== undefined && id !== wanted) throw badKey(where, `key ${id} was given where ${wanted} was asked for`)
  return key
}

function badKey(where: ErrorPlace, what: string): DuramenError {
  return new DuramenError('CODEC_FAILED', `keys(…) for ${where.stream}: ${what}`, {
    where,
    hint: 'Let it return { id, secret } with 32 bytes, or undefined for a key that is gone.',
  })
}

function wrongKey({ stream, seq }: FramePlace, keyId: number, cause?: unknown): DuramenError {
  return new DuramenError('WRONG_KEY', `Record ${seq} of ${stream} does not open with key ${keyId}`, {
    where: { stream, seq },
    cause,
    hint: 'Give the keys that it was written with. With the right ones, these bytes were not written there: see to the file.',
  })
}
