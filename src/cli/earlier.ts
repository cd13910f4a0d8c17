// What an earlier run has left: said before anything goes on, so that one sees what a crash did not change.
import { stateName } from '../machines/image/machine.ts'
import { must } from '../ports/answer.ts'
import type { ImageFolders } from '../ports/image.ts'
import type { Host } from '../runtime/host.ts'
import { countedAs, listImages, outcomeOf } from './images.ts'

export interface Earlier {
  /** Whether an image was ever taken. */
  readonly began: boolean
  /** `5 archived, 1 in images_sources (uploading), 4 waiting in source`. */
  readonly summary: string
  /** Whether there is something to go on with. */
  readonly unfinished: boolean
}

/** Looks at journal and folders; the folders must be open, the pipeline not yet. */
export async function lookBack(host: Host, folders: ImageFolders): Promise<Earlier> {
  const images = await listImages(host)
  const { source, images_sources } = await must('folders.count', folders.count())
  const active = images.filter((image) => outcomeOf(image) === undefined)
  const parts: string[] = []
  for (const outcome of ['archived', 'duplicate', 'forced', 'quarantined', 'gone'] as const) {
    const number = images.filter((image) => outcomeOf(image) === outcome).length
    if (number > 0) parts.push(countedAs(number, outcome))
  }
  // a claim that the crash cut short has a file and no instance; a move that it cut short the other way round
  const states = active.map(({ state }) => stateName(state))
  if (images_sources > active.length) states.push('just taken')
  const under = Math.max(images_sources, active.length)
  if (under > 0) parts.push(`${under} in images_sources (${states.join(', ')})`)
  if (source > 0) parts.push(`${source} waiting in source`)
  return { began: images.length + under > 0, summary: parts.join(', ') || 'no images', unfinished: under + source > 0 }
}
