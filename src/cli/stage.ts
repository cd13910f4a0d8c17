// What the parts of a demo share: its options, where it keeps its things, and what is open.
import { join } from 'node:path'
import type { ImageFolders } from '../ports/image.ts'
import type { Host } from '../runtime/host.ts'
import type { Screen } from './screen.ts'
import type { OpenStore } from './store.ts'

export interface DemoOptions {
  readonly folder: string | undefined
  readonly data: string
  /** Of a database; undefined: a folder in `data`. */
  readonly store: string | undefined
  /** Milliseconds to wait over each image. */
  readonly slow: number
}

export interface Places {
  readonly images: string
  readonly source: string
  readonly store: string
  readonly journal: string
  /** Which files of the user's folders were copied: a line each, of place, size and time. */
  readonly copied: string
}

export const placesIn = (data: string): Places => ({
  images: join(data, 'images'),
  source: join(data, 'images', 'source'),
  store: join(data, 'store'),
  journal: join(data, 'journal'),
  copied: join(data, 'copied'),
})

export interface Stage {
  readonly options: DemoOptions
  readonly places: Places
  readonly store: OpenStore
  readonly host: Host
  /** Open. */
  readonly folders: ImageFolders
  readonly screen: Screen
  /** Aborted when the demo is told to end. */
  readonly signal: AbortSignal
}
