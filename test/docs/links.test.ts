// What the pages point to is there: other pages and their headings, files of the source, error codes.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const names = (await readdir('docs', { recursive: true })).filter((name) => name.endsWith('.md'))
const pages = new Map<string, string>()
for (const page of ['README.md', 'CHANGELOG.md', ...names.map((name) => join('docs', name))])
  pages.set(page, await readFile(page, 'utf8'))

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): string[] {
  const headings = [...pages.get(page)!.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase())
  return headings.map((heading) => heading.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
}

test('docs: every link leads somewhere', () => {
  const wrong: string[] = []
  for (const [page, text] of pages)
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split('#')
      const file = path ? join(dirname(page), path) : page
      if (!existsSync(file)) wrong.push(`${page}: ${target} is not there`)
      else if (anchor && !anchorsOf(file).includes(anchor)) wrong.push(`${page}: ${target} has no such heading`)
    }
  expect(wrong).toEqual([])
})

test('docs: README leads to every page', () => {
  const missing = [...pages.keys()].filter((page) => /^docs\/[^/]+$/.test(page))
  expect(missing.filter((page) => !pages.get('README.md')!.includes(`(${page})`))).toEqual([])
})

test('docs: the files that GUARANTEES.md and ARCHITECTURE.md name are there', async () => {
  const files = (await readdir('src', { recursive: true })).map((name) => `/${name}`)
  const wrong: string[] = []
  for (const page of ['docs/GUARANTEES.md', 'docs/ARCHITECTURE.md'])
    for (const [, name] of pages.get(page)!.matchAll(/`(?:src\/)?([\w/-]+\.ts)`/g))
      if (!files.some((file) => file.endsWith(`/${name}`)) && !existsSync(name!)) wrong.push(`${page}: ${name}`)
  expect(wrong).toEqual([])
})

test('docs: every file of the kernel has its row in ARCHITECTURE.md', async () => {
  const files = (await readdir('src/runtime', { recursive: true })).filter((name) => name.endsWith('.ts'))
  const rooms = pages.get('docs/ARCHITECTURE.md')!
  expect(files.filter((name) => !rooms.includes(`\`${name.split('/').at(-1)}\``))).toEqual([])
})

test('docs: ERRORS.md has every code, in the order of the union', async () => {
  const union = /DuramenErrorCode =([\s\S]*?)\n\n/.exec(await readFile('src/ports/errors.ts', 'utf8'))![1]!
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code)
  const rows = [...pages.get('docs/ERRORS.md')!.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(40)
  expect(rows).toEqual(codes)
})
