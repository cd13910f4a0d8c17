// What an editor shows of duramen is its doc comments.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { entryPoints, exportsOf } from '../../scripts/declarations.mjs'

test.each([...entryPoints()])('docs: every export of %s has a doc comment', (_, file) => {
  const exported = [...exportsOf(file)]
  expect(exported.length).toBeGreaterThan(0)
  expect(exported.filter(([, comment]) => !comment).map(([name]) => name)).toEqual([])
})

// what is an actor's or a host's for its own parts says @internal
test.each(['actor', 'host', 'operating'])(
  'docs: every public member of the class in runtime/%s has a doc comment',
  (name) => {
    const lines = readFileSync(`dist/runtime/${name}.d.ts`, 'utf8').split('\n')
    const first = lines.findIndex((line) => / class /.test(line))
    const bare = lines.filter(
      (line, at) => at > first && /^ {4}(?!private|protected)\w/.test(line) && !lines[at - 1]!.endsWith('*/'),
    )
    expect(first).toBeGreaterThan(0)
    expect(bare).toEqual([])
  },
)
