// Image pipelines on real folders, with a processor and a store that remember what they were asked to do.
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemFolders, fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { DuramenError, type Host, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import {
  type ImagePipeline,
  type ImagePipelineOptions,
  imagePipeline,
  type PipelineEvent,
} from '../../src/machines/index.ts'
import type { ImageProcessor } from '../../src/ports/image.ts'
import { done, sha256 } from '../../src/testing/images/index.ts'
import { quiet } from './host.ts'
import { kept } from './journals.ts'

export const FOLDERS = ['source', 'images_sources', 'images_old', 'quarantined'] as const
type FolderName = (typeof FOLDERS)[number]

/** Two outputs for each file: one as bytes, one as a file. Content that begins with `bad` is no image. */
export const twoOutputs: ImageProcessor = async ({ name, path, workDir }) => {
  const bytes: Buffer[] = []
  for await (const chunk of createReadStream(path)) bytes.push(chunk)
  const content = Buffer.concat(bytes).toString()
  if (content.startsWith('bad')) throw new DuramenError('NOT_AN_IMAGE', `${name}: bad`)
  await writeFile(join(workDir, 'second.txt'), second(content))
  return {
    outputs: [{ bytes: Buffer.from(first(content)) }, { file: join(workDir, 'second.txt') }],
    codes: [`code of ${content.slice(0, 20)}`, null],
    info: { length: content.length },
  }
}
const first = (content: string) => `first of ${content}`
const second = (content: string) => `second of ${content}`

/** What the store must hold of an image. */
export const outputsOf = (content: string) => [sha256(first(content)), sha256(second(content))]

/** What `publishing` has seen. */
export interface Publishes {
  /** Keys of units, in the order in which they became visible. */
  readonly keys: string[]
  /** Keys of units that were there already. Must stay empty (I2). */
  readonly again: string[]
}

/** Notes each unit that becomes visible in a store: the link to its record, wherever the answer got lost. */
export function publishing(files: Files, seen: Publishes): Files {
  return {
    ...files,
    link: async (from, to) => {
      const [, key = '', nth] = /\/units\/([0-9a-f]{64})(\.\d+)?\.json$/.exec(String(to)) ?? []
      const again = nth !== undefined || existsSync(String(to))
      if (again) seen.again.push(key)
      await files.link(from, to)
      if (!again) seen.keys.push(key)
    },
  }
}

export interface Running {
  readonly host: Host
  readonly pipeline: ImagePipeline
  readonly events: PipelineEvent[]
  /** Host, then pipeline. */
  stop(): Promise<void>
}

export interface ImageWorld {
  readonly root: string
  readonly images: string
  readonly storeDir: string
  readonly journal: Journal
  readonly published: Publishes
  folders(files?: Files): ImagePipelineOptions['folders']
  store(files?: Files): ImagePipelineOptions['store']
  drop(name: string, content: string, folder?: FolderName): Promise<void>
  names(folder: FolderName | '.duramen/outputs' | '.duramen/work'): Promise<string[]>
  /** Every file of the user, as `folder/name: content`. */
  everything(): Promise<string[]>
  start(options?: Partial<ImagePipelineOptions>, host?: Partial<Parameters<typeof openHost>[0]>): Promise<Running>
  /** The commits of all streams, oldest first. */
  texts(stream?: RegExp): Promise<{ stream: string; text: string }[]>
}

/** Empty folders, a store and a journal in memory that outlives its hosts. */
export async function imageWorld(): Promise<ImageWorld> {
  const root = await mkdtemp(join(tmpdir(), 'duramen-images-'))
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
  return worldIn(root)
}

function worldIn(root: string): ImageWorld {
  const images = join(root, 'images')
  const storeDir = join(root, 'store')
  const journal = memoryJournal()
  const published: Publishes = { keys: [], again: [] }
  const world: ImageWorld = {
    root,
    images,
    storeDir,
    journal,
    published,
    folders: (files = nodeFiles) => fileSystemFolders(images, { stableFor: 0 }, files),
    store: (files = nodeFiles) => fileSystemStore(storeDir, publishing(files, published)),
    drop: async (name, content, folder = 'source') => {
      await mkdir(join(images, folder), { recursive: true })
      await writeFile(join(images, folder, name), content)
    },
    names: async (folder) => (await readdir(join(images, folder))).sort(),
    everything: async () => {
      const found: string[] = []
      for (const folder of FOLDERS)
        for (const name of await world.names(folder))
          if (!name.endsWith('.reason.txt'))
            found.push(`${folder}/${name}: ${await readFile(join(images, folder, name), 'utf8')}`)
      return found
    },
    start: async (options = {}, hostOptions = {}) => {
      const host = await openHost({ journal: kept(journal), logger: quiet, ...hostOptions })
      const pipeline = await imagePipeline(host, {
        folders: world.folders(),
        store: world.store(),
        process: twoOutputs,
        poll: 5,
        retry: { first: 5, max: 20 },
        ...options,
      }).catch(async (error) => {
        await host.close()
        throw error
      })
      const events: PipelineEvent[] = []
      pipeline.events$.subscribe((event) => events.push(event))
      const stop = async () => {
        await host.close()
        await pipeline.close()
      }
      onTestFinished(stop)
      return { host, pipeline, events, stop }
    },
    texts: async (stream = /./) => {
      const found: { stream: string; text: string }[] = []
      for await (const record of journal.readAll()) if (stream.test(record.stream)) found.push(record)
      return found
    },
  }
  return world
}

/** Starts a pipeline on the world, waits until nothing is left to do, and closes it. */
export async function drain(world: ImageWorld, options: Partial<ImagePipelineOptions> = {}): Promise<Running> {
  const running = await world.start(options)
  await running.pipeline.drained()
  await running.stop()
  return running
}

/** I1: what lies in images_old is in the store, but for what was forced; nothing was published twice. */
export async function expectStored(world: ImageWorld, contents: readonly string[]): Promise<void> {
  const store = fileSystemStore(world.storeDir)
  for (const content of contents) {
    const unit = await done(store.find(sha256(content)))
    expect(unit?.outputs.map((output) => output.sha256)).toEqual(outputsOf(content))
  }
  expect(world.published.again).toEqual([])
}
