// What an editor shows of duramen is its doc comments.
import { readdirSync, readFileSync } from 'node:fs'
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

test.each([
  ['A host', ['host', 'operating']],
  ['An actor', ['actor']],
])('docs: API.md has every call of: %s', (heading, classes) => {
  const section = readFileSync('docs/API.md', 'utf8').split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!
  const calls = classes.flatMap((name) => {
    const lines = readFileSync(`dist/runtime/${name}.d.ts`, 'utf8').split('\n')
    const methods = lines.map((line, at) => (lines[at - 1]?.includes('@internal') ? '' : line))
    return methods
      .flatMap((line) => /^ {4}([a-z]\w*\$?)[<(]/.exec(line)?.[1] ?? [])
      .filter((call) => call !== 'constructor')
  })
  expect(calls.length).toBeGreaterThan(5)
  expect(calls.filter((call) => !section.includes(`.${call}`))).toEqual([])
})

test.each([...entryPoints()])('docs: README or a page names every function and constant of %s', (_, file) => {
  const text = [
    'README.md',
    ...readdirSync('docs')
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ]
    .map((page) => readFileSync(page, 'utf8'))
    .join('\n')
  const values = [...exportsOf(file).keys()].filter((name) => /^[a-z]/.test(name))
  expect(values.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([])
})
