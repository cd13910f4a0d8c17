// A pipeline's messages, a line each (I9).
import type { PipelineEvent } from '../machines/index.ts'
import { printable } from '../ports/printable.ts'
import type { Screen, Style } from './screen.ts'
import { padded } from './text.ts'

/** What stands before the line, and its colour. Steps on the way have neither. */
const MARKS: Partial<Record<PipelineEvent['type'], readonly [mark: string, style: Style]>> = {
  archived: ['✓', 'green'],
  duplicate: ['=', 'yellow'],
  quarantined: ['✗', 'red'],
  processing_failed: ['!', 'yellow'],
  upload_failed: ['!', 'yellow'],
  move_failed: ['!', 'yellow'],
  blocked: ['!', 'yellow'],
  gone: ['!', 'red'],
}
const NAME = 22

/** The line for a message; undefined where another message says the same. */
export function stepLine(event: PipelineEvent, screen: Screen): string | undefined {
  if (event.type === 'rejected' || (event.type === 'prepared' && event.problem === null)) return undefined
  const [mark, style] = MARKS[event.type] ?? [' ', 'dim']
  const name = 'name' in event ? event.name : ''
  const text = printable(withoutName(event.message, name))
  return screen.style(style, `${mark} ${padded(printable(name), NAME)}  ${text}`)
}

/** The name has a column of its own, and reasons begin with it, too. */
export const withoutName = (message: string, name: string): string =>
  (message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message).replace(`: ${name}: `, ': ')
