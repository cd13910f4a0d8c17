// What the tests of the file journal share.
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { listSegments } from '../../src/journal/file/segments/segments.ts'
import { type FileJournal, type FileJournalOptions, fileJournal } from '../../src/journal/index.ts'

export const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** Where files are in memory: quick, for tests that sync often and are not about disks. */
export const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** An empty folder that is removed after the test. */
export async function newFolder(parent = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(parent, 'duramen-journal-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

/** A journal that is closed after the test. */
export async function openIn(folder: string, options: FileJournalOptions = {}): Promise<FileJournal> {
  const journal = await fileJournal(folder, { logger: quiet, ...options })
  onTestFinished(async () => {
    await journal.close()()
  })
  return journal
}

/** The segment files of a closed journal: path and bytes, in order. */
export async function segmentsOf(folder: string): Promise<{ file: string; bytes: Buffer }[]> {
  const segments = await listSegments(folder)
  return Promise.all(segments.map(async ({ file }) => ({ file, bytes: await readFile(file) })))
}

/** Makes the folder hold exactly these segments. */
export async function replaceSegments(folder: string, segments: { file: string; bytes: Buffer }[]): Promise<void> {
  await rm(folder, { recursive: true })
  await mkdir(folder)
  for (const { file, bytes } of segments) await writeFile(file, bytes)
}

/** Copies a journal as it lies there, also one that is open; no copy of its writer's socket would be one. */
export const copyJournal = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, filter: (path) => !path.endsWith('.sock') })

/** The files of a folder that this process has open; none where there is no /proc to tell. */
export function openFilesIn(folder: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return file.startsWith(folder) ? [file] : []
    } catch {
      return []
    }
  })
}
