// A record as people read it: `2025-12-17 10:30:00 - name - LEVEL - message key=value`, and the stacks of errors on the lines that
// follow, indented: what somebody else put into a message or an error can't look like a line of its own.
import { printable } from '../../ports/printable.ts'
import { ErrorFacts } from './plain.ts'

export interface LogRecord {
  /** ms since the epoch. */
  readonly time: number
  readonly level: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** The lines of a record, each with its end. */
export function lineOf(name: string, { time, level, message, details }: LogRecord, utc: boolean): string {
  const said = message === '' ? [] : [printable(message)]
  let behind = ''
  for (const [key, value] of Object.entries(details))
    if (value instanceof ErrorFacts) behind += errorLines(value, key === 'err' || key === 'error' ? '' : `${key}: `)
    else if (value !== undefined) said.push(pair(key, value))
  return `${stamp(new Date(time), utc)} - ${name} - ${level.toUpperCase()} - ${said.join(' ')}\n${behind}`
}

function stamp(date: Date, utc: boolean): string {
  const local = utc ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19).replace('T', ' ')
}

/** `key=value`, in quotes where it would not be clear where it ends. */
const pair = (key: string, value: unknown) => `${word(key)}=${typeof value === 'string' ? word(value) : json(value)}`
const word = (text: string) => (/^[\w./:@+-]+$/.test(text) ? text : json(text))
const json = (value: unknown) => printable(JSON.stringify(value) ?? 'undefined')

function errorLines({ type, message, stack, cause, errors, ...more }: ErrorFacts, before: string): string {
  const pairs = Object.entries(more).filter(([, value]) => value !== undefined && json(value) !== '{}')
  const lines = [
    ...stack.split('\n'),
    ...(pairs.length > 0 ? [pairs.map(([key, value]) => pair(key, value)).join(' ')] : []),
  ]
  // V8 puts message and all into the stack; one that was set later is in it no more
  if (!stack.includes(message)) lines.unshift(`${type}: ${message}`)
  const own = lines.map((line, n) => `    ${n === 0 ? printable(before) : ''}${printable(line)}\n`).join('')
  const parts = Array.isArray(errors) ? errors.map((error) => followed(error, '- ')) : []
  return own + parts.join('') + (cause === undefined ? '' : followed(cause, 'caused by: '))
}

const followed = (value: unknown, before: string): string =>
  value instanceof ErrorFacts
    ? errorLines(value, before)
    : `    ${before}${typeof value === 'string' ? printable(value) : json(value)}\n`
