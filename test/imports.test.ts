// The house: cli → adapters → machines → runtime → journal → ports; a file imports from its own room or from one further
// right. src/testing may import all but the cli, src/index.ts all.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const src = join(dirname(fileURLToPath(import.meta.url)), '..', 'src')
const rooms = ['cli', 'adapters', 'machines', 'runtime', 'journal', 'ports']

const files = (await readdir(src, { recursive: true })).filter((f) => f.endsWith('.ts')).sort()
const texts = new Map(await Promise.all(files.map(async (f) => [f, await readFile(join(src, f), 'utf8')] as const)))
const roomOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : '')

/** What a file imports, types included. */
function imports(text: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g
  return [...text.matchAll(pattern)].map((m) => (m[1] ?? m[2] ?? m[3])!)
}

function allowed(from: string, to: string): boolean {
  if (from === '' || from === to) return true
  if (to === '') return from === 'cli' || from === 'testing'
  if (from === 'testing') return to !== 'cli'
  return rooms.indexOf(from) >= 0 && rooms.indexOf(from) < rooms.indexOf(to)
}

it('the house: imports go one way', () => {
  const wrong: string[] = []
  for (const [file, text] of texts)
    for (const name of imports(text).filter((i) => i.startsWith('.'))) {
      const target = relative(src, join(src, dirname(file), name))
      if (!allowed(roomOf(file), roomOf(target))) wrong.push(`${file} imports ${target}`)
    }
  expect(wrong).toEqual([])
})

it('the house: every import of its own ends in .ts and is there', () => {
  const wrong: string[] = []
  for (const [file, text] of texts)
    for (const name of imports(text).filter((i) => i.startsWith('.')))
      if (!texts.has(relative(src, join(src, dirname(file), name)))) wrong.push(`${file} imports ${name}`)
  expect(wrong).toEqual([])
})

it('the house: adapters do not know each other', () => {
  const wrong: string[] = []
  const adapter = (file: string) => file.split('/').slice(0, 2).join('/')
  for (const [file, text] of texts)
    for (const name of imports(text).filter((i) => i.startsWith('.') && roomOf(file) === 'adapters')) {
      const target = relative(src, join(src, dirname(file), name))
      if (roomOf(target) === 'adapters' && adapter(target) !== adapter(file)) wrong.push(`${file} imports ${target}`)
    }
  expect(wrong).toEqual([])
})

it('the house: ports, journal and runtime need no package of one technology', () => {
  const wrong: string[] = []
  for (const [file, text] of texts)
    if (['ports', 'journal', 'runtime'].includes(roomOf(file)))
      for (const name of imports(text))
        if (/^(sharp|zxing-wasm|usb|mongodb|libsql|commander|cli-progress)(\/|$)/.test(name))
          wrong.push(`${file} imports ${name}`)
  expect(wrong).toEqual([])
})

it("the house: XState's internals are touched in runtime/xstate only", () => {
  const internals =
    /\._(snapshot|send|error|relay|bookId|register|unregister|set|sendInspectionEvent|deferred|actorScope|processingStatus|parent|observers|logger|transitions|complete|stop|stopProcedure)\b|Actor\.prototype|actionExecutor/
  const wrong: string[] = []
  for (const [file, text] of texts) {
    if (file.startsWith('runtime/xstate/')) continue
    for (const [n, line] of text.split('\n').entries())
      if (internals.test(line)) wrong.push(`${file}:${n + 1} ${line.trim()}`)
  }
  expect(wrong).toEqual([])
})
