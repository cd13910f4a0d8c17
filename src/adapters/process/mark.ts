// The mark by which the processes of a program are found, whatever they do: a variable in their environment.
//
// V1j no other is ever touched: in containers that see each other's processes the same path may be another folder, so the mark
// also has a random id, which is kept in the state folder.
import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** It lists the marks of all who look after a process, by which each finds what is below it. */
export const MARK = 'DURAMEN_SUPERVISED'

/** That of this state folder: its path, and an id that it is given once. Throws what the file system says. */
export const markOf = (folder: string): string => `${folder}#${idIn(folder)}`

/** What a process is given. `above`: what its supervisor was given, which may itself be looked after. */
export const marked = (mark: string, above: string | undefined): string =>
  above === undefined || above === '' ? mark : `${above}${delimiter}${mark}`

/** `given`: what a process was given. */
export const carries = (given: string, mark: string): boolean =>
  `${delimiter}${given}${delimiter}`.includes(`${delimiter}${mark}${delimiter}`)

/** Not synced: no process outlives what an unsynced file does not. */
function idIn(folder: string): string {
  const file = join(folder, 'id')
  for (;;) {
    const id = read(file)
    if (id !== undefined && /^[0-9a-f-]{36}$/.test(id)) return id
    if (id !== undefined) unlinkSync(file) // torn by a power cut
    const draft = `${file}.${randomUUID()}.tmp`
    try {
      writeFileSync(draft, randomUUID(), { mode: 0o600, flag: 'wx' })
      linkSync(draft, file) // of two that begin at once both have the one that is there
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      remove(draft)
    }
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file)
  } catch {} // it could not be made
}
