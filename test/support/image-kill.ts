// Image pipelines in a process that is killed at random moments, and what must be found at the end, whatever the store.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { type Commit, decodeCommit } from '../../src/journal/records.ts'
import type { ImageStore } from '../../src/ports/image.ts'
import { done, sha256 } from '../../src/testing/images/index.ts'
import { quiet } from './host.ts'
import { imageChild } from './image-process.ts'
import { FOLDERS } from './image-world.ts'

/** 0 to 1, the same for the same seed. */
const random = (seed: string, n: number) =>
  createHash('sha256').update(`${seed} ${n}`).digest().readUInt32LE() / 2 ** 32

/** Every tenth content is there twice, every 25th is no image. */
const contentOf = (n: number) => `${n % 25 === 7 ? 'bad ' : ''}image ${n % 10 === 9 ? n - 1 : n}`

async function filled(images: number): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'duramen-kill-'))
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
  await mkdir(join(root, 'images/source'), { recursive: true })
  for (let n = 0; n < images; n++) await writeFile(join(root, `images/source/${n}.png`), contentOf(n))
  return root
}

/** The commits of each stream. Reading them checks the journal's checksums. */
async function commitsIn(root: string): Promise<Commit[]> {
  const journal = await fileJournal(join(root, 'journal'), { logger: quiet })
  const commits: Commit[] = []
  for await (const record of journal.readAll()) commits.push(decodeCommit(record))
  await done(journal.close())
  return commits
}

export interface KillOptions {
  readonly rounds: number
  readonly images: number
  /** The database that the pipelines upload to. Default: a folder in the root. */
  readonly uri?: string | undefined
  /** The store of the pipelines whose root this is. */
  open(root: string): ImageStore
}

/** The sources compiled by `compiledSources`. */
export async function killedAtRandom(compiled: string, { rounds, images, uri, open }: KillOptions): Promise<void> {
  const seed = process.env.DURAMEN_SEED ?? String(Date.now())
  console.log(`seed ${seed}; DURAMEN_SEED=${seed} repeats it`)
  const root = await filled(images)
  for (let round = 0; round < rounds; round++) {
    const child = imageChild(compiled, root, 'run', { store: uri })
    const steps = Math.floor(random(seed, round) * ((4 * images) / rounds))
    if (round % 5 === 4) await new Promise((resolve) => setTimeout(resolve, random(seed, -round) * 600))
    else await child.printed(steps)
    await new Promise((resolve) => setTimeout(resolve, random(seed, round + 0.5) * 5))
    await child.kill()
  }
  const last = imageChild(compiled, root, 'run', { store: uri })
  expect(await last.until('drained'), last.lines.join('\n')).toBe('drained')

  const lying: string[] = []
  for (const folder of FOLDERS)
    for (const name of await readdir(join(root, 'images', folder)))
      if (!name.endsWith('.reason.txt')) lying.push(`${folder}/${name}`)
  const expected = Array.from({ length: images }, (_, n) =>
    contentOf(n).startsWith('bad') ? `quarantined/${n}.png` : `images_old/${n}.png`,
  )
  expect(lying.sort()).toEqual(expected.sort())
  expect(await readdir(join(root, 'images/.duramen/outputs'))).toEqual([])

  const store = open(root)
  for (const place of lying) {
    const content = await readFile(join(root, 'images', place), 'utf8')
    const unit = await done(store.find(sha256(content)))
    const hashes = place.startsWith('images_old/')
      ? [sha256(`first of ${content}`), sha256(`second of ${content}`)]
      : undefined
    expect(
      unit?.outputs.map((output) => output.sha256),
      place,
    ).toEqual(hashes)
  }

  const log = (await readFile(join(root, 'log'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  expect(log.filter(([what]) => what === 'again')).toEqual([])
  const published = log.filter(([what]) => what === 'published').map(([, key]) => key)
  expect(new Set(published).size).toBe(published.length)

  const commits = await commitsIn(root)
  const recorded = new Map<string, { stream: string; at: number }>()
  const hashOf = new Map<string, string>()
  for (const { stream, at, kind, target, payload } of commits) {
    if (!stream.startsWith('images.image/')) continue
    if (kind === 'start') hashOf.set(stream, (payload() as { sha256: string }).sha256)
    if (target?.startsWith('@1/process@') && (payload() as { type: string }).type === 'xstate.promise.resolve')
      recorded.set(hashOf.get(stream)!, { stream, at: Math.min(at, recorded.get(hashOf.get(stream)!)?.at ?? at) })
  }
  const late = log.filter(
    ([what, hash, time]) => what === 'processed' && Number(time) > (recorded.get(hash!)?.at ?? Infinity),
  )
  expect(late, 'processed again after it was recorded').toEqual([])

  const host = await openHost({ journal: await fileJournal(join(root, 'journal'), { logger: quiet }), logger: quiet })
  const listed = await host.list({ machine: 'images.image' })
  await host.close()
  expect(listed.map(({ attributes }) => attributes.outcome).filter((outcome) => outcome === 'gone')).toEqual([])
  expect(listed).toHaveLength(images)
}
