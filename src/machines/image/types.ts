// What the image machine and the coordinator know, hear and say. Plain data: it goes into the journal as it is (K12: names,
// sizes, hashes and codes, never a picture).
import type { ClaimedFile, OutputFile } from '../../ports/image.ts'
import type { Backoff, Problem } from '../problems.ts'

export type { Backoff, Problem }

/** An output in .duramen/outputs with the code that belongs to it (I3). */
export interface CodedOutput extends OutputFile {
  readonly code: string | null
}

/** `auto`: an image goes all the way by itself. `manual`: it waits for PROCESS and for UPLOAD. */
export type Mode = 'auto' | 'manual'

/** What the machine of one image starts with. */
export interface ImageInput extends ClaimedFile {
  readonly mode: Mode
  readonly retry: Backoff
  /** How often a processor may fail at this image before it goes to quarantine. */
  readonly processAttempts: number
}

/** How it ended: `gone`: the file vanished from images_sources under our hands. */
export type Outcome = 'archived' | 'duplicate' | 'forced' | 'quarantined' | 'gone'

/** What the machine of one image knows. */
export interface ImageContext extends ImageInput {
  readonly outputs: readonly CodedOutput[]
  readonly info: Readonly<Record<string, unknown>>
  /** Failures in a row of what is tried now. */
  readonly tries: number
  /** Failures of the processor, in all. */
  readonly failures: number
  readonly problem: Problem | null
  readonly outcome: Outcome | null
  /** Its name in images_old or quarantined. */
  readonly finalName: string | null
  /** Who forced the archive, and why (I8). */
  readonly forced: { readonly who: string; readonly why: string | null } | null
}

/** What the machine of one image is told; `imagePipeline` sends these. */
export type ImageEvent =
  | { type: 'PROCESS' }
  | { type: 'UPLOAD' }
  /** I8: archive without upload; recorded with who and why. */
  | { type: 'FORCE_ARCHIVE'; who: string; why?: string }

/** I9: each step as a message. */
export interface ImageMessage {
  readonly type:
    | 'prepared'
    | 'processing_failed'
    | 'processed'
    | 'upload_failed'
    | 'uploaded'
    | 'move_failed'
    | 'recognised'
    | 'archived'
    | 'duplicate'
    | 'forced'
    | 'rejected'
    | 'quarantined'
    | 'gone'
  /** Name in images_sources. */
  readonly name: string
  readonly message: string
  readonly awaiting_upload: boolean
  readonly problem: Problem | null
}

/** What processing has come to; `duplicate`: the store has the content already (I5). */
export type Processed =
  | { readonly duplicate: true }
  | {
      readonly duplicate: false
      readonly outputs: readonly CodedOutput[]
      readonly info: Readonly<Record<string, unknown>>
    }

/** An image that the coordinator has under way. */
export interface Active extends ClaimedFile {
  readonly id: string
}

/** What the coordinator starts with. */
export interface CoordinatorInput {
  /** Prefix of the ids of its images. */
  readonly id: string
  readonly slots: number
  readonly retry: Backoff
}

/** What the coordinator knows. */
export interface CoordinatorContext extends CoordinatorInput {
  readonly active: readonly Active[]
  /** Images whose instances can't go on; their files stay in images_sources and are not taken again. */
  readonly stuck: readonly Active[]
  readonly claimed: number
  readonly tries: number
  readonly problem: Problem | null
  readonly totals: Readonly<Record<Outcome, number>>
}

/** What the coordinator is told; `imagePipeline` sends these. */
export type CoordinatorEvent =
  | { type: 'CONFIGURE'; slots: number; retry: Backoff }
  /** What was stuck is tried again. */
  | { type: 'RETRY' }

/** What the coordinator says: a file was taken, why none can be, or that nothing stands in the way any more. */
export type CoordinatorMessage =
  | { readonly type: 'unblocked'; readonly message: string }
  | { readonly type: 'claimed'; readonly id: string; readonly name: string; readonly message: string }
  | { readonly type: 'blocked'; readonly message: string; readonly problem: Problem }
