// `duramen backup` and `duramen restore`.
import { backupJournal, restoreJournal } from '../journal/index.ts'
import { printable } from '../ports/printable.ts'
import type { Interruption } from './interruption.ts'
import type { Screen } from './screen.ts'
import { bytes } from './text.ts'

export interface BackupCommand {
  readonly from: string
  readonly to: string
  readonly json: boolean
}

/** Backs up; the answer is the exit code. Rejects with DuramenError. */
export function runBackup(command: BackupCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const { from, to } = command
  return copied(command, screen, interrupted, 'new', (onProgress) => backupJournal(from, to, { onProgress }))
}

/** Restores; the answer is the exit code. Rejects with DuramenError. */
export function runRestore(
  command: BackupCommand & { readonly until: number | undefined },
  screen: Screen,
  interrupted: Interruption,
): Promise<number> {
  const { from, to, until } = command
  const options = until === undefined ? {} : { until }
  return copied(command, screen, interrupted, 'copied', (onProgress) =>
    restoreJournal(from, to, { ...options, onProgress }),
  )
}

async function copied(
  { to, json }: BackupCommand,
  screen: Screen,
  interrupted: Interruption,
  what: string,
  run: (onProgress: (done: number, total: number) => void) => Promise<{ position: number; bytes: number }>,
): Promise<number> {
  try {
    const done = await run((done, total) => {
      interrupted.signal.throwIfAborted()
      screen.progress(Math.floor(done / 1e6), Math.ceil(total / 1e6), 'MB')
    })
    screen.endProgress()
    const { position, bytes: size } = done
    screen.line(
      json ? JSON.stringify(done) : `${printable(to)} goes up to position ${position}; ${bytes(size)} were ${what}.`,
    )
    return 0
  } catch (error) {
    if (interrupted.exitCode !== undefined) return interrupted.exitCode
    throw error
  } finally {
    screen.endProgress()
  }
}
