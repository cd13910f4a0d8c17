// `duramen export` and `duramen import`.
//
// K7 a file that is given with --out, and the journal of an import, are there as a whole or not at all.
import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { throughDraft } from '../journal/file/backup/draft-journal.ts'
import { assertNoJournal } from '../journal/file/backup/restore.ts'
import { asDuramen } from '../journal/fs-error.ts'
import { exportJournal, fileJournal, importJournal, openJournal } from '../journal/index.ts'
import { isDuramenError } from '../ports/errors.ts'
import { printable } from '../ports/printable.ts'
import { journalOptionsIn, withConfig } from './config.ts'
import type { Interruption } from './interruption.ts'
import type { Screen } from './screen.ts'
import { counted } from './text.ts'

export interface ExportCommand {
  readonly dir: string
  /** Undefined: to stdout. */
  readonly out: string | undefined
  readonly machine: string | undefined
  readonly instance: string | undefined
  readonly config: string | undefined
  readonly json: boolean
}

/** Exports; the answer is the exit code. Rejects with DuramenError. */
export async function runExport(command: ExportCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const { dir, out, machine, instance, config, json } = command
  const reading = { readOnly: true, ...(await journalOptionsIn(config)) } as const
  const reader = await openJournal(dir, reading).catch((error) => {
    throw withConfig(error, config)
  })
  const draft = `${out}.new`
  try {
    const only = { ...(machine !== undefined && { machine }), ...(instance !== undefined && { instance }) }
    const lines = exportJournal(reader, only)
    const { signal } = interrupted
    if (out === undefined) await pipeline(lines, process.stdout, { signal, end: false })
    else {
      let records = -2 // the first line and the last are none
      const counting = async function* () {
        for await (const line of lines) {
          if (++records % 1000 === 0) screen.progress(records, records, 'records')
          yield line
        }
      }
      await pipeline(counting, createWriteStream(draft, { mode: 0o600, flush: true }), { signal })
      await rename(draft, out)
      screen.endProgress()
      screen.line(json ? JSON.stringify({ records }) : `${counted(records, 'record')} in ${printable(out)}.`)
    }
    return 0
  } catch (error) {
    if (out !== undefined) await rm(draft, { force: true }).catch(() => {})
    return failed(withConfig(error, config), interrupted, `export to ${out ?? 'stdout'}`, out)
  } finally {
    screen.endProgress()
    await reader.close()()
  }
}

export interface ImportCommand {
  /** `-`: from stdin. */
  readonly file: string
  readonly dir: string
  readonly config: string | undefined
  readonly json: boolean
}

/** Imports, beside the place where the journal is to be; the answer is the exit code. Rejects with DuramenError. */
export async function runImport(command: ImportCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const { file, dir, config, json } = command
  try {
    const options = await journalOptionsIn(config)
    const total = file === '-' ? 0 : (await stat(file)).size
    await assertNoJournal(dir)
    const source = addAbortSignal(interrupted.signal, file === '-' ? process.stdin : createReadStream(file))
    const { records } = await throughDraft(dir, async (draft) => {
      const journal = await fileJournal(draft, options)
      return importJournal(told(source, total, screen), journal).finally(journal.close())
    })
    screen.endProgress()
    screen.line(json ? JSON.stringify({ records }) : `${counted(records, 'record')} in ${printable(dir)}.`)
    return 0
  } catch (error) {
    // what it says of the journal that was begun is of none that anybody sees
    const what = isDuramenError(error) && isDuramenError(error.cause) ? error.cause : error
    return failed(what, interrupted, `import ${file}`, file)
  } finally {
    screen.endProgress()
  }
}

async function* told(source: Readable, total: number, screen: Screen): AsyncGenerator<Buffer> {
  let done = 0
  for await (const piece of source) {
    done += piece.length
    if (total > 0) screen.progress(Math.floor(done / 1e6), Math.ceil(total / 1e6), 'MB')
    yield piece
  }
}

function failed(error: unknown, interrupted: Interruption, doing: string, file: string | undefined): number {
  if (interrupted.exitCode !== undefined) return interrupted.exitCode
  throw asDuramen(error, doing, file === undefined ? {} : { file })
}
