// Findings as lines for people, and as JSON for programs.

import { printable } from '../../ports/printable.ts'
import type { Screen, Style } from '../screen.ts'
import { counted, padded } from '../text.ts'
import { type Finding, type Level, worst } from './finding.ts'

const STYLES: Readonly<Record<Level, Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }
const CHECK = 12

/** A line each, and one with the sum. */
export function* reportLines(findings: readonly Finding[], screen: Pick<Screen, 'style'>): Generator<string> {
  for (const { check, level, what, next, where } of findings) {
    const mark = screen.style(STYLES[level], padded(level, 4))
    const place = where ? `${where.file}${where.line === undefined ? '' : `:${where.line}`} ` : ''
    const rest = next === undefined ? '' : ` → ${next}`
    yield `${mark}  ${padded(check, CHECK)}  ${printable(`${place}${what}${rest}`)}`
  }
  const number = (level: Level) => findings.filter((finding) => finding.level === level).length
  yield screen.style('bold', `${counted(number('fail'), 'failure')}, ${counted(number('warn'), 'warning')}.`)
}

/** What `--json` prints. */
export const reportJson = (findings: readonly Finding[]) => ({ status: worst(findings), findings })
