// What there is to do: what an earlier run has left, and what comes into source/ now.
import { existsSync } from 'node:fs'
import { printable } from '../ports/printable.ts'
import { copyFolder } from './copy.ts'
import { lookBack } from './earlier.ts'
import { writeSamples } from './samples.ts'
import type { Stage } from './stage.ts'
import { counted } from './text.ts'

/** Says what it finds and makes. The answer: whether there is something to do. */
export async function fill(stage: Stage): Promise<boolean> {
  const { options, places, host, folders, screen } = stage
  const { began, summary, unfinished } = await lookBack(host, folders)
  const fresh = !began && !existsSync(places.copied)
  if (!fresh) {
    const next = unfinished ? 'going on' : 'nothing is left to do'
    screen.line(`Found the journal of an earlier run: ${summary}; ${next}.`)
  }
  if (options.folder !== undefined) return (await copy(options.folder, stage)) > 0 || unfinished
  if (!fresh) return unfinished
  const { length } = await writeSamples(places.source)
  screen.line(`Made ${length} sample files in ${places.source}.`)
  return true
}

async function copy(folder: string, { places, screen, signal }: Stage): Promise<number> {
  const { copied, before, leftOut } = await copyFolder(folder, places, signal, (done, total, name) =>
    screen.progress(done, total, `copying ${printable(name)}`),
  )
  screen.endProgress()
  const say = (text: string) => screen.line(printable(text))
  const known = `${counted(before, 'file')} ${before === 1 ? 'was' : 'were'} copied before`
  if (copied > 0)
    say(`Copied ${counted(copied, 'file')} from ${folder} to ${places.source}${before > 0 ? `; ${known}` : ''}.`)
  else say(before > 0 ? `Nothing new in ${folder}: ${known}.` : `Nothing to copy in ${folder}.`)
  if (leftOut.length > 0) say(`Left out: ${leftOut.join(', ')}.`)
  return copied
}
