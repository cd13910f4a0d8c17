// The log with its places: what the index knows of it, and what has to be read of it.
//
// K3 the segments are the truth: an index that does not fit them is made anew. K7 see recover.ts.
import { join } from 'node:path'
import type { Logger } from '../../../ports/logger.ts'
import { type IndexedLog, type IndexFolder, Places } from '../index/places.ts'
import { Runs } from '../index/runs.ts'
import { type Source, sumAt } from '../reading/read.ts'
import type { Segment } from '../segments/segments.ts'
import { openChain } from './last-group.ts'
import { Log } from './log.ts'
import { assertEnd, cutOff, holds, recover, refill, type TornTail } from './recover.ts'

/** How a log is kept: see FileJournalOptions. */
export interface LogOptions {
  readonly segmentBytes: number
  readonly indexEvery: number
  readonly chain: boolean
}

export interface OpenedLog {
  readonly places: Places
  readonly log: Log
  /** What was cut off. */
  readonly torn: TornTail | undefined
  /** The checksum of the last frame; 0 for none. */
  readonly sum: number
}

/**
 * Opens the log in a folder that has these segments, and fills those of the source. Leaves no file open where it rejects: with
 * JOURNAL_DAMAGED, with what the codec says, or the file system.
 */
export async function openLog(
  dir: string,
  files: readonly Segment[],
  source: Source & { readonly segments: Segment[] },
  { segmentBytes, indexEvery, chain }: LogOptions,
  logger: Logger,
): Promise<OpenedLog> {
  const { salt, coding, segments } = source
  const folder = join(dir, 'index')
  const known: IndexFolder = {
    anew: () => Runs.none(folder, indexEvery),
    goneFile: (id) => join(folder, `gone-${id}`),
    every: indexEvery,
  }
  const indexed: IndexedLog = {
    salt,
    async frameAt(position, offset) {
      const upTo = segments.filter(({ first }) => first <= position)
      const sizes = upTo.map(({ first, size }, number) => [first, number < upTo.length - 1 ? size : 0] as const)
      return { segments: sizes, sum: await sumAt(source, position, offset) }
    },
    refill: (places, until) => refill(segments, salt, places, until, coding),
    warn: (message, error) => logger.warn(message, { error }),
  }
  const runs = await Runs.open(folder, salt, indexEvery, (head) => holds(files, salt, head))
  let places = new Places(runs, known, indexed)
  try {
    if (!(await places.ready())) {
      await runs.close()
      places = new Places(known.anew(), known, indexed)
    }
    const torn = await recover(files, salt, segments, places, places.newest, coding)
    await assertEnd(folder, salt, segments, places)
    if (torn !== undefined) await cutOff(torn)
    const { position, offset } = places.end
    const sum = position === 0 ? 0 : await sumAt(source, position, offset)
    const log = await Log.open(dir, segments, salt, segmentBytes, await openChain(source, places, chain))
    await places.removeOthers()
    places.tidy()
    return { places, log, torn, sum }
  } catch (error) {
    await Promise.allSettled([places.abandon(), source.reader.close()])
    throw error
  }
}
