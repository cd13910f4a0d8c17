// The three ports of the image pipeline. ImageFolders and ImageStore are kept by adapters and held to it by the
// contract suites in src/testing; ImageProcessor is the host's own function.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** A file that waits in source/, complete and ready to be taken (I6). */
export interface WaitingFile {
  readonly name: string
  readonly size: number
  /** Last modification, ms since the epoch. */
  readonly modified: number
}

/** A file in images_sources, as it was found when it was claimed. */
export interface ClaimedFile {
  /** Its name in images_sources; differs from `original` where that name was taken (I5). */
  readonly name: string
  /** Its name in source/. */
  readonly original: string
  readonly size: number
  /** Lower-case hex SHA-256 of the content; empty where it is no regular file or could not be read. */
  readonly sha256: string
  /** Why it can't be an image at all (a symbolic link, a folder, 0 bytes): goes to quarantine. */
  readonly refused?: string
}

/** One output of processing, kept in .duramen/outputs until the image is archived. */
export interface OutputFile {
  readonly file: string
  readonly size: number
  readonly sha256: string
}

/** What a processor gave for one output: bytes, or the path of a file it wrote into `workDir`. */
export type OutputSource = { readonly bytes: Uint8Array } | { readonly file: string }

/** Opens a claimed file for a processor. */
interface OpenImage {
  /** A path that stays this very file while the handle is open, also if its name is swapped for a link. */
  readonly path: string
  readonly size: number
  close(): Promise<void>
}

/** The folders source, images_sources, images_old, quarantined and .duramen of one pipeline. Every call can be repeated. */
export interface ImageFolders {
  /** Creates what is missing, checks that all can be written, takes the lock (LOCKED names the holder's pid). */
  open(): TaskEither<DuramenError, void>
  /** The next complete files in source/ in stable order (I4, I6), at most `limit`; empty when there are none. */
  waiting(limit: number): TaskEither<DuramenError, readonly WaitingFile[]>
  /** Files in images_sources whose names are not in `known`: claims that a crash cut short. Oldest claim first. */
  unowned(known: readonly string[]): TaskEither<DuramenError, readonly string[]>
  /** source → images_sources under a free name (I5, I7), then `inspect`. FILE_GONE if it has vanished. */
  claim(name: string, signal?: AbortSignal): TaskEither<DuramenError, ClaimedFile>
  /** Size, SHA-256 and kind of a file that is in images_sources already. */
  inspect(name: string, signal?: AbortSignal): TaskEither<DuramenError, ClaimedFile>
  /** Opens a file of images_sources without following links. FILE_GONE, NOT_A_FILE, FILE_CHANGED where its content is another. */
  openImage(name: string, sha256: string, signal?: AbortSignal): TaskEither<DuramenError, OpenImage>
  /** A folder for a processor's scratch files; emptied by `saveOutputs` and by `open`. */
  workDir(sha256: string, name: string): TaskEither<DuramenError, string>
  /** Writes the outputs of an image durably; ordered as given. Replaces what an earlier attempt left. */
  saveOutputs(
    sha256: string,
    name: string,
    outputs: readonly OutputSource[],
    signal?: AbortSignal,
  ): TaskEither<DuramenError, readonly OutputFile[]>
  /** Bytes of an output, as a stream. OUTPUTS_MISSING when it is not there (any more). */
  readOutput(output: OutputFile): TaskEither<DuramenError, AsyncIterable<Uint8Array>>
  /** Removes all outputs of an image, recorded or not, and its scratch files. */
  dropOutputs(sha256: string, name: string): TaskEither<DuramenError, void>
  /**
   * images_sources → images_old under a free name. The answer is the name there. Repeated after a crash it finds its own
   * work. FILE_CHANGED when the content is no longer `sha256`: it stays.
   */
  archive(name: string, sha256: string): TaskEither<DuramenError, string>
  /** images_sources → quarantined under a free name, with the reason in a text file beside it. */
  quarantine(name: string, sha256: string, reason: string): TaskEither<DuramenError, string>
  /** Names and numbers as they are now, for status and reconciliation. */
  count(): TaskEither<DuramenError, { source: number; images_sources: number; images_old: number; quarantined: number }>
  /** Releases the lock. May be called twice. */
  close(): TaskEither<DuramenError, void>
}

/** One file of a unit on its way to the store. */
export interface StoreOutput {
  readonly code: string | null
  readonly size: number
  readonly sha256: string
  /** Called once per attempt. */
  read(): TaskEither<DuramenError, AsyncIterable<Uint8Array>>
}

/** All outputs of one image: visible in the store together or not at all (I3). */
export interface StoreUnit {
  /** SHA-256 of the image: the idempotency key of the upload. */
  readonly key: string
  /** The file name as the user knew it. */
  readonly name: string
  readonly outputs: readonly StoreOutput[]
  /** Small facts beside the outputs (format, width, height …); plain JSON. */
  readonly info: Readonly<Record<string, unknown>>
}

/** What the store holds, read back from it (I1): lengths and hashes are those of the stored bytes, not of the sent ones. */
export interface StoredUnit {
  readonly key: string
  readonly name: string
  readonly outputs: readonly { readonly code: string | null; readonly size: number; readonly sha256: string }[]
  readonly info: Readonly<Record<string, unknown>>
  /** True when `put` found it there and wrote nothing. */
  readonly existed: boolean
}

/** Where images are kept for good. */
export interface ImageStore {
  /** Publishes a unit, once per key; then reads it back. STORE_MISMATCH when what it reads is not what was sent. */
  put(unit: StoreUnit, signal?: AbortSignal): TaskEither<DuramenError, StoredUnit>
  /** The unit with that key, its bytes read and hashed again; undefined when there is none. */
  find(key: string, signal?: AbortSignal): TaskEither<DuramenError, StoredUnit | undefined>
  /** Bytes of one output of a published unit. */
  read(key: string, index: number): TaskEither<DuramenError, AsyncIterable<Uint8Array>>
  /** Keys of all published units. */
  keys(): AsyncIterable<string>
  /** Removes what interrupted uploads left behind. Safe beside running uploads. */
  sweep(): TaskEither<DuramenError, number>
  close(): TaskEither<DuramenError, void>
}

/** What a processor is given. */
export interface ProcessInput {
  /** Name in images_sources. */
  readonly name: string
  /** Read the image from here: it is a path that no one can swap. */
  readonly path: string
  readonly size: number
  readonly sha256: string
  /** A folder on the same file system for output files; emptied afterwards. */
  readonly workDir: string
  /** The same for every attempt at this image. */
  readonly key: string
  readonly attempt: number
  readonly signal: AbortSignal
}

/** What a processor gives back: outputs and codes are paired in their order (I3). */
export interface ProcessResult {
  readonly outputs: readonly OutputSource[]
  readonly codes: readonly (string | null)[]
  /** Small facts to keep beside the outputs; plain JSON, no image data (K12). */
  readonly info?: Readonly<Record<string, unknown>>
}

/** The host's function: file in, outputs out. Throw DuramenError NOT_AN_IMAGE to have the file quarantined. */
export type ImageProcessor = (input: ProcessInput) => Promise<ProcessResult>
