// The screen on a terminal; that others get plain lines is tried with the real command.
import { Writable } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import { createScreen } from '../../src/cli/screen.ts'

afterEach(() => vi.unstubAllEnvs())

function terminal(env: Record<string, string | undefined> = {}) {
  for (const [name, value] of Object.entries({ FORCE_COLOR: undefined, NO_COLOR: undefined, TERM: 'xterm', ...env }))
    vi.stubEnv(name, value)
  let written = ''
  const stream = new Writable({
    write(chunk, _, done) {
      written += chunk
      done()
    },
  })
  Object.assign(stream, { isTTY: true, columns: 80, getColorDepth: () => (process.env.NO_COLOR ? 1 : 8) })
  return { screen: createScreen(stream as WriteStream), written: () => written }
}

it('keeps lines above the bar, whole however long, and takes the bar away in the end', () => {
  const { screen, written } = terminal()
  const long = 'x'.repeat(200)
  screen.line('before')
  screen.progress(1, 4, 'a.jpg: processing')
  screen.line(long)
  screen.endProgress()
  screen.line('after')
  const lines = stripVTControlCharacters(written()).split('\n')
  expect(lines).toEqual(['before', long, expect.stringMatching(/━+─+ 1\/4 {2}a\.jpg: processingafter$/), ''])
  expect(written().slice(-10), 'the bar is wiped off').toBe('\x1b[0Jafter\n')
  expect(written(), 'a kill would leave the cursor hidden').not.toContain('\x1b[?25l')
})

it.each([
  ['colours', {}, '\x1b[32mgood\x1b[39m'],
  ['no colours, with NO_COLOR', { NO_COLOR: '1' }, 'good'],
])('gives a terminal %s', (_, env, expected) => {
  expect(terminal(env).screen.style('green', 'good')).toBe(expected)
})

it('moves no cursor where TERM is dumb', () => {
  const { screen, written } = terminal({ TERM: 'dumb' })
  screen.progress(1, 4, 'a.jpg: processing')
  screen.line('a line')
  screen.endProgress()
  expect(written()).toBe('a line\n')
})
