// What a systemd unit should say so that systemd knows when it is ready (S6), and ends all of it.
import { type Finding, ok, warn } from '../finding.ts'

interface Rule {
  readonly key: string
  readonly right: RegExp
  readonly what: string
  readonly next: string
}

const RULES: readonly Rule[] = [
  {
    key: 'Type',
    right: /^notify(-reload)?$/,
    what: 'counts as ready as soon as it is begun',
    next: 'add Type=notify',
  },
  {
    key: 'NotifyAccess',
    right: /^all$/,
    what: 'what systemd-notify says is not heard',
    next: 'add NotifyAccess=all',
  },
  {
    key: 'WatchdogSec',
    right: /^(?!0$|infinity$).+$/,
    what: 'is not restarted when its event loop is stuck',
    next: 'add WatchdogSec=60',
  },
  {
    key: 'KillMode',
    right: /^mixed$/,
    what: 'SIGTERM goes to all of its processes at once',
    next: 'add KillMode=mixed',
  },
  {
    key: 'Restart',
    right: /^(always|on-failure|on-abnormal|on-watchdog)$/,
    what: 'is not restarted when it fails',
    next: 'add Restart=on-failure',
  },
]

export function unitFindings(file: string, text: string): Finding[] {
  const { start, entries } = serviceSection(text)
  const found = RULES.flatMap(({ key, right, what, next }): Finding[] => {
    const entry = entries.get(key)
    if (entry && right.test(entry.value)) return []
    return [
      {
        ...warn('deploy', `${entry ? `${key}=${entry.value}` : `no ${key}`}: ${what}`, next),
        where: { file, line: entry?.line ?? start },
      },
    ]
  })
  return found.length > 0 ? found : [{ ...ok('deploy', 'is as it should be'), where: { file } }]
}

/** The last value of each key counts. */
function serviceSection(text: string): { start: number; entries: Map<string, { value: string; line: number }> } {
  const entries = new Map<string, { value: string; line: number }>()
  let start = 1
  let inside = false
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line.startsWith('[')) {
      inside = line === '[Service]'
      if (inside) start = at + 1
    } else if (inside && !/^[#;]/.test(line) && line.includes('=')) {
      const [, key = '', value = ''] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? []
      entries.set(key, { value, line: at + 1 })
    }
  }
  return { start, entries }
}
