// `duramen demo`: a folder of images through the whole pipeline, on a journal that outlives every kill.
import { existsSync } from 'node:fs'
import { fileSystemFolders } from '../adapters/filesystem/index.ts'
import { loadCodeReader } from '../adapters/sharp/code.ts'
import { loadSharp } from '../adapters/sharp/load.ts'
import { fileJournal } from '../journal/index.ts'
import { must } from '../ports/answer.ts'
import type { Logger } from '../ports/logger.ts'
import { printable } from '../ports/printable.ts'
import { openHost } from '../runtime/host.ts'
import { showClosing } from './closing.ts'
import { checkFolder } from './copy.ts'
import { fill } from './fill.ts'
import type { Interruption } from './interruption.ts'
import { run } from './run.ts'
import type { Screen } from './screen.ts'
import { type DemoOptions, type Places, placesIn, type Stage } from './stage.ts'
import { type OpenStore, openStore } from './store.ts'

/** Runs the demo; the answer is its exit code. Rejects with DuramenError. */
export async function demo(given: DemoOptions, screen: Screen, interrupted: Interruption): Promise<number> {
  const places = placesIn(given.data)
  // before anything is made on disk
  const folder = given.folder === undefined ? undefined : await checkFolder(given.folder, given.data)
  await Promise.all([loadSharp(), loadCodeReader()])
  const store = await openStore(given.store, places.store, existsSync(places.journal))
  try {
    return await withStore({ ...given, folder }, places, store, screen, interrupted)
  } finally {
    await store.close()
  }
}

async function withStore(
  options: DemoOptions,
  places: Places,
  store: OpenStore,
  screen: Screen,
  interrupted: Interruption,
): Promise<number> {
  const logger = loggerOn(screen)
  const journal = await fileJournal(places.journal, { logger })
  const host = await openHost({ journal, logger })
  const folders = fileSystemFolders(places.images)
  try {
    await must('folders.open', folders.open())
    return await play({ options, places, store, host, folders, screen, signal: interrupted.signal }, interrupted)
  } finally {
    await host.close()
    await must('folders.close', folders.close())
  }
}

async function play(stage: Stage, interrupted: Interruption): Promise<number> {
  const { screen, signal } = stage
  try {
    if (await fill(stage)) {
      screen.line('Kill it at any moment and run it again: it goes on where it was.')
      screen.line()
      await run(stage)
    }
  } catch (error) {
    if (!signal.aborted) throw error // else it is the abort's echo
  } finally {
    screen.endProgress()
  }
  if (interrupted.exitCode === undefined) return (await showClosing(stage)) > 0 ? 1 : 0
  screen.line('Stopping; nothing is lost. Run the same command again, and it goes on from here.')
  return interrupted.exitCode
}

/** Warnings and errors of host and journal, a line each among the others. */
function loggerOn(screen: Screen): Logger {
  const say = (message: string, details: object = {}) => {
    const more = Object.entries(details).map(([key, value]) => `${key} ${value}`)
    screen.line(screen.style('yellow', printable(`! ${message}${more.length > 0 ? ` (${more.join(', ')})` : ''}`)))
  }
  return { debug() {}, info() {}, warn: say, error: say }
}
