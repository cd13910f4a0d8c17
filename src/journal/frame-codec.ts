// What may stand between the text of a commit and its bytes on disk: encryption (aes-gcm.ts), compression, or both (K12).
// Not to be taken for codec.ts, which makes texts of values.

/** Whose text it is. A codec that binds the bytes to it makes sure that they count nowhere else. */
export interface FramePlace {
  readonly stream: string
  readonly seq: number
  /** A snapshot bears the seq of the record that it was taken after. */
  readonly kind: 'record' | 'snapshot'
}

/** What a codec made of a text. */
export interface EncodedFrame {
  readonly bytes: Uint8Array
  /** Kept beside the bytes, for `decode`; 0 to 4,294,967,295. */
  readonly keyId: number
}

/**
 * Makes bytes of texts and texts of bytes, for `fileJournal(dir, { codec })`. Synchronous; it must neither change nor keep
 * the bytes that it is given. What `encode` throws refuses that one append, before anything of it is written; what
 * `decode` throws rejects the read. An error that is no DuramenError becomes CODEC_FAILED.
 */
export interface FrameCodec {
  /** Stands in each frame that it made; 1 to 255, never to be given to another one. `aesGcm` has 1. */
  readonly id: number
  encode(bytes: Uint8Array, place: FramePlace): EncodedFrame
  /** What was encoded; undefined where the key is gone for good: the record then counts as erased. */
  decode(bytes: Uint8Array, place: FramePlace, keyId: number): Uint8Array | undefined
}
