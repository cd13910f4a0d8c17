// What the two machines ask of the world, made of the three ports. Each is repeated after a crash, with the same input,
// and finds what an earlier attempt has done.
import { isLeft } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { answerOf, must } from '../../ports/answer.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import type { ClaimedFile, ImageFolders, ImageProcessor, ImageStore, ProcessResult } from '../../ports/image.ts'
import { sleep } from '../../ports/signal.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Duration } from '../../runtime/duration.ts'
import { currentEffect } from '../../runtime/effects.ts'
import { type Connection, withConnection } from '../connection/index.ts'
import type { CodedOutput, ImageContext, Processed } from './types.ts'

/** What the world gives, and how patient to be with it. */
export interface Ports {
  readonly folders: ImageFolders
  readonly store: ImageStore
  readonly process: ImageProcessor
  /** The store's. */
  readonly connection: Connection<unknown> | undefined
  /** Between looks into source/ while it is empty, ms. */
  readonly poll: number
  /** How often processing may take the whole process down with it before the image goes to quarantine. */
  readonly crashes: number
}

/** How many files are looked at first; more, where none of them can be taken. */
const LOOK_AT = 16

/** A call of the store, once its connection is there; NOT_CONNECTED where it is not within `patience`, or its circuit is open. */
const asked = <A>(
  { connection }: Ports,
  name: string,
  call: (signal: AbortSignal) => TaskEither<DuramenError, A>,
  options: { readonly signal: AbortSignal; readonly patience?: Duration },
): Promise<A> =>
  connection
    ? withConnection(connection, (_, { signal }) => must(name, call(signal)), options)
    : must(name, call(options.signal))

/** I4, I6: the next file, in images_sources and looked at. Waits until there is one; `atOnce`: null where none is there now. */
export async function claimNext(
  { folders, poll }: Ports,
  known: () => readonly string[],
  atOnce: boolean,
  signal: AbortSignal,
): Promise<ClaimedFile | null> {
  for (;;) {
    signal.throwIfAborted()
    // a claim whose record a crash has swallowed comes first
    const [orphan] = await must('folders.unowned', folders.unowned(known()))
    if (orphan !== undefined) return must('folders.inspect', folders.inspect(orphan, signal))
    const claimed = await claimAny(folders, known, signal)
    if (claimed || atOnce) return claimed ?? null
    await sleep(systemClock, poll, signal)
  }
}

/** The first of the waiting files that can be taken: one that can't, or is gone, does not hold up the others. */
async function claimAny(folders: ImageFolders, known: () => readonly string[], signal: AbortSignal) {
  const tried = new Set<string>()
  let refused: DuramenError | undefined
  for (let limit = LOOK_AT; ; limit *= 2) {
    const waiting = await must('folders.waiting', folders.waiting(limit))
    for (const { name } of waiting) {
      if (tried.has(name)) continue
      tried.add(name)
      const claimed = await answerOf('folders.claim', folders.claim(name, signal))
      if (!isLeft(claimed)) return claimed.right
      if (claimed.left.code === 'FILE_GONE') continue
      refused ??= claimed.left
      // it was moved before it failed (I4): it is the next one
      if ((await must('folders.unowned', folders.unowned(known()))).length > 0) throw refused
    }
    if (waiting.length < limit) break
  }
  if (refused) throw refused
  return undefined
}

/** I3, I5: the outputs of an image, durable in .duramen/outputs, or the word that the store has its content already. */
export async function process(
  ports: Ports,
  { name, sha256 }: { name: string; sha256: string },
  given: AbortSignal,
): Promise<Processed> {
  const { folders, store, process, crashes } = ports
  const effect = currentEffect()
  const signal = AbortSignal.any([given, effect.signal])
  if (effect.attempt > crashes)
    throw new DuramenError('PROCESSING_CRASHED', `processing ended the whole process ${crashes} times`, {
      where: { file: name },
      hint: 'Look at the file in quarantined and at the crash; then put it back into source.',
    })
  // a store that is away is no reason to wait: `put` will recognise the content, too
  const known = asked(ports, 'store.find', (given) => store.find(sha256, given), { signal, patience: 0 })
  if (await known.catch(() => undefined)) return { duplicate: true }
  const workDir = await must('folders.workDir', folders.workDir(sha256, name))
  const image = await must('folders.openImage', folders.openImage(name, sha256, signal))
  let result: ProcessResult
  try {
    const { path, size } = image
    const { key, attempt } = effect
    result = await process({ name, path, size, sha256, workDir, key, attempt, signal })
  } finally {
    await image.close()
  }
  const { outputs, codes, info } = checked(result, name)
  const saved = await must('folders.saveOutputs', folders.saveOutputs(sha256, name, outputs, signal))
  if (signal.aborted) {
    // nobody will record them: the image has left this state while they were being saved
    await must('folders.dropOutputs', folders.dropOutputs(sha256, name))
    throw new DuramenError('ABORTED', `processing ${name} was called off`, { retryable: true })
  }
  return { duplicate: false, info, outputs: saved.map((output, i) => ({ ...output, code: codes[i]! })) }
}

/** I3: as many codes as outputs. What is no result at all is the processor's fault, like an error that it throws. */
function checked({ outputs, codes, info = {} }: ProcessResult, name: string): Required<ProcessResult> {
  const isOutput = (o: unknown) =>
    typeof o === 'object' &&
    o !== null &&
    ('file' in o ? typeof o.file === 'string' : 'bytes' in o && o.bytes instanceof Uint8Array)
  if (!Array.isArray(outputs) || !outputs.every(isOutput))
    throw new TypeError('the processor gave outputs that are neither { file } nor { bytes }')
  if (!Array.isArray(codes) || !codes.every((c) => c === null || typeof c === 'string'))
    throw new TypeError('the processor gave codes that are neither text nor null')
  if (outputs.length !== codes.length || outputs.length === 0)
    throw new DuramenError('PAIRING_MISMATCH', `${outputs.length} outputs and ${codes.length} codes can't be paired`, {
      where: { file: name },
      hint: 'The processor must give one code, or null, for each output. Mend it, then process the image again.',
    })
  return { outputs, codes, info }
}

/** I1, I3: one unit in the store, confirmed by what is read back from it. */
export async function upload(
  ports: Ports,
  unit: { key: string; name: string; outputs: readonly CodedOutput[]; info: ImageContext['info'] },
  signal: AbortSignal,
): Promise<{ existed: boolean }> {
  const { folders, store } = ports
  const outputs = unit.outputs.map((output) => {
    const { code, size, sha256 } = output
    return { code, size, sha256, read: () => folders.readOutput(output) }
  })
  const stored = await asked(ports, 'store.put', (given) => store.put({ ...unit, outputs }, given), { signal })
  if (stored.key !== unit.key)
    throw new DuramenError('STORE_MISMATCH', `the store confirmed ${stored.key}, sent was ${unit.key}`)
  // what it had before is an earlier run's outcome for the same image: its own hashes were read back just now
  const confirmed = stored.existed
    ? stored.outputs.length > 0
    : stored.outputs.length === outputs.length &&
      outputs.every((o, i) => stored.outputs[i]!.size === o.size && stored.outputs[i]!.sha256 === o.sha256)
  if (!confirmed)
    throw new DuramenError(
      'STORE_MISMATCH',
      `the store does not give back the outputs of ${unit.name} as they were sent`,
      {
        retryable: true,
      },
    )
  return { existed: stored.existed }
}

/** I7: to images_old; its outputs are dropped. Null when the file is nowhere. */
export async function archive(
  { folders }: Ports,
  { name, sha256 }: { name: string; sha256: string },
): Promise<string | null> {
  const moved = await unlessGone('folders.archive', folders.archive(name, sha256))
  await must('folders.dropOutputs', folders.dropOutputs(sha256, name))
  return moved
}

/** I6: to quarantined with its reason; where the content has changed, whatever is there. Null when the file is nowhere. */
export async function quarantine(
  { folders }: Ports,
  { name, sha256, changed, reason }: { name: string; sha256: string; changed: boolean; reason: string },
): Promise<string | null> {
  const moved = await unlessGone('folders.quarantine', folders.quarantine(name, changed ? '' : sha256, reason))
  await must('folders.dropOutputs', folders.dropOutputs(sha256, name))
  return moved
}

const unlessGone = (call: string, task: TaskEither<DuramenError, string>) =>
  must(call, task).catch((error) => {
    if (isDuramenError(error) && error.code === 'FILE_GONE') return null
    throw error
  })
