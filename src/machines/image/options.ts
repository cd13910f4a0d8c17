// How images go their way: what a caller gives, looked at.
import { assertFunction, assertNames, badOption, checkCount, optionsGiven } from '../../ports/given.ts'
import type { ImageFolders, ImageProcessor, ImageStore } from '../../ports/image.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { Connection } from '../connection/index.ts'
import type { Backoff, Mode } from './types.ts'

/** Settings of a pipeline. */
export interface ImagePipelineOptions {
  /** The folders, e.g. `fileSystemFolders('./images')`. The pipeline opens and closes them. */
  folders: ImageFolders
  /** Where images are kept for good, e.g. `fileSystemStore('./store')`. The pipeline closes it. */
  store: ImageStore
  /**
   * The store's connection, of `connection(host, …)`: while it is away nothing is tried in vain, and when it is back all that
   * waits for the store goes on at once (I2). Default: none; what has failed is tried again as `retry` says.
   */
  connection?: Connection<unknown>
  /** File in, outputs out, e.g. `sharpProcessor()`. May run more than once for one image; never after its outcome is recorded. */
  process: ImageProcessor
  /** `auto` goes all the way by itself; `manual` waits for `processAuto` and `processFinal`. Default `'auto'`. */
  mode?: Mode
  /** Most images in images_sources at a time (I4). Default 1. */
  slots?: number
  /** Name of the pipeline on its host. Default `'images'`. */
  id?: string
  /** Between looks into an empty source/. Default 500 ms. */
  poll?: Duration
  /** How long to wait before something that failed is tried again. Default: as below. */
  retry?: {
    /** After the first failure; doubled each time. Default 1 s. */
    first?: Duration
    /** No wait is longer. Default 1 min. */
    max?: Duration
  }
  /** How often the processor may fail at an image before it goes to quarantine. Default 3. */
  processAttempts?: number
  /** How often processing may end the whole process before the image goes to quarantine. Default 10. */
  crashes?: number
}

/** The same, with all defaults. */
export interface PipelineGiven extends Pick<ImagePipelineOptions, 'folders' | 'store' | 'process'> {
  readonly connection: Connection<unknown> | undefined
  readonly mode: Mode
  readonly slots: number
  readonly id: string
  readonly poll: number
  readonly retry: Backoff
  readonly processAttempts: number
  readonly crashes: number
}

/** Throws BAD_OPTION. */
export function pipelineGiven(options: ImagePipelineOptions): PipelineGiven {
  const given: Partial<ImagePipelineOptions> = optionsGiven('imagePipeline', options)
  assertNames('imagePipeline', given, NAMES)
  const { folders, store, process, connection, mode = 'auto', id = 'images' } = given
  const { slots = 1, processAttempts = 3, crashes = 10 } = given
  assertFunction('folders', folders?.open, "Give folders, e.g. fileSystemFolders('./images').")
  assertFunction('store', store?.find, "Give a store, e.g. fileSystemStore('./store').")
  assertFunction('process', process, 'Give a processor, e.g. sharpProcessor().')
  if (connection !== undefined)
    assertFunction(
      'connection',
      connection?.status$?.subscribe,
      'Give what connection(host, …) has answered, or leave it out.',
    )
  if (mode !== 'auto' && mode !== 'manual')
    throw badOption('mode', mode, "is neither 'auto' nor 'manual'", "Leave it out for 'auto'.")
  if (typeof id !== 'string' || id === '') throw badOption('id', id, 'is no text', "Leave it out for 'images'.")
  const retry: NonNullable<ImagePipelineOptions['retry']> = optionsGiven(
    'retry',
    given.retry,
    "Leave it out, or give { first: '1s', max: '1m' }.",
  )
  assertNames('retry', retry, ['first', 'max'])
  return {
    folders: folders!,
    store: store!,
    process: process!,
    connection,
    mode,
    id,
    slots: checkCount('slots', slots, 'Leave it out for 1.'),
    poll: milliseconds(given.poll ?? 500, 'poll'),
    retry: {
      first: milliseconds(retry.first ?? '1s', 'retry.first'),
      max: milliseconds(retry.max ?? '1m', 'retry.max'),
    },
    processAttempts: checkCount('processAttempts', processAttempts, 'Leave it out for 3.'),
    crashes: checkCount('crashes', crashes, 'Leave it out for 10.'),
  }
}

/** Who archives without upload, and why (I8). Throws BAD_OPTION. */
export function orderGiven(order: { who: string; why?: string }): { readonly who: string; readonly why?: string } {
  const hint = "It is kept in the image's history: forceArchive({ who: 'ann', why: 'the store has it' })."
  const given = optionsGiven('forceArchive', order, hint)
  assertNames('forceArchive', given, ['who', 'why'])
  const { who, why } = given
  if (typeof who !== 'string' || who.trim() === '') throw badOption('who', who, 'is no text', hint)
  if (why === undefined) return { who }
  if (typeof why !== 'string') throw badOption('why', why, 'is no text', hint)
  return { who, why }
}

/** Throws BAD_OPTION. */
export function signalGiven(options: { signal?: AbortSignal } | undefined): AbortSignal | undefined {
  const given = optionsGiven('drained', options, 'Leave it out, or give { signal }.')
  assertNames('drained', given, ['signal'])
  const { signal } = given
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw badOption('signal', signal, 'is no AbortSignal', 'Give that of an AbortController, or leave it out.')
  return signal
}

const NAMES: readonly string[] = [
  'folders',
  'store',
  'connection',
  'process',
  'mode',
  'slots',
  'id',
  'poll',
  'retry',
  'processAttempts',
  'crashes',
] satisfies (keyof ImagePipelineOptions)[]
