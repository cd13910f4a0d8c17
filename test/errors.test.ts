// Codes of errors: the union, the page about them and the code agree.
import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const text = (path: string) => readFile(new URL(path, root), 'utf8')
const codesIn = (source: string, pattern: RegExp) => [...source.matchAll(pattern)].map((match) => match[1]!)

const declared = codesIn((await text('src/ports/errors.ts')).split('/** Where')[0]!, /\| '([A-Z_]+)'/g)
const documented = codesIn(await text('docs/ERRORS.md'), /^\| `([A-Z_]+)` \|/gm)
const sources = (await readdir(new URL('src/', root), { recursive: true })).filter(
  (file) => file.endsWith('.ts') && file !== 'ports/errors.ts',
)
const lines = (await Promise.all(sources.map((file) => text(`src/${file}`)))).join('\n').split('\n')

it('every code of the union has one row in docs/ERRORS.md, and there are no other rows', () => {
  expect(declared.length).toBeGreaterThan(30)
  expect([...documented].sort()).toEqual([...declared].sort())
})

it('every code is given to an error somewhere, not only asked for', () => {
  const asked = /[!=]==|case '|toBe|Extract<|\bcode:(?! '[A-Z_]+',$)/
  const given = (code: string) => lines.some((line) => line.includes(`'${code}'`) && !asked.test(line))
  expect(declared.filter((code) => !given(code))).toEqual([])
})
