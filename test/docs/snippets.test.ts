// What README and docs print is true: each snippet of JavaScript or TypeScript compiles against dist as it stands there, with
// what given/given.mts declares; one that is marked with `run=<file>` runs instead, twice.
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const tsc = resolve('node_modules/typescript/bin/tsc')
const PACKAGES = ['xstate', 'rxjs', 'mongodb', 'bson', '@types']

let folder: string
let snippets: { readonly place: string; readonly run: string | undefined; readonly file: string }[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'duramen-docs-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(resolve('.'), join(folder, 'node_modules/duramen'))
  for (const name of PACKAGES) await symlink(resolve('node_modules', name), join(folder, 'node_modules', name))
  const pages = (await readdir('docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  snippets = (await Promise.all(['README.md', ...pages].map(snippetsOf))).flat()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function snippetsOf(page: string) {
  const text = await readFile(page, 'utf8')
  const found = []
  for (const { 1: language, 2: run, 3: code = '', index } of text.matchAll(
    /^```(js|ts)(?: run=(\S+))?\n([\s\S]*?)^```$/gm,
  )) {
    const line = text.slice(0, index).split('\n').length
    const file = run ?? `${page.replace(/\W/g, '-')}-${line}.m${language}`
    await writeFile(join(folder, file), run ? code : `${code}\nexport {}\n`)
    found.push({ place: `${page}:${line}`, run, file })
  }
  return found
}

test('docs: every snippet compiles as printed', async () => {
  const compiled = snippets.filter(({ run }) => !run).map(({ file }) => file)
  expect(compiled.length).toBeGreaterThan(15)
  await copyFile('test/docs/given/given.mts', join(folder, 'given.mts'))
  await writeFile(join(folder, 'globals.d.mts'), await globals())
  const compilerOptions = {
    target: 'ES2023',
    module: 'NodeNext',
    strict: true,
    noImplicitAny: false, // they are JavaScript
    allowJs: true,
    checkJs: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  }
  const files = ['given.mts', 'globals.d.mts', ...compiled]
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
  expect({ stdout, status }).toEqual({ stdout: '', status: 0 })
})

/** All that `given` has, as globals, so that a snippet may declare the same names itself. */
async function globals() {
  await writeFile(join(folder, 'names.mjs'), NAMES)
  const { stdout } = spawnSync(process.execPath, ['names.mjs'], { cwd: folder, encoding: 'utf8' })
  const own = (await readFile('test/docs/given/given.mts', 'utf8')).match(/export const given = \{([^}]*)\}/)?.[1] ?? ''
  const names = new Set([...stdout.trim().split('\n'), ...[...own.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name)])
  const values = [...names].map((name) => `  const ${name}: typeof everything.${name}`)
  return `import type { given as everything, Health as H } from './given.mjs'\ndeclare global {\n${values.join('\n')}\n  type Health = H\n}\n`
}

const NAMES = `for (const name of ['duramen', 'duramen/journal', 'duramen/testing', 'xstate'])
  for (const key of Object.keys(await import(name))) if (/^[a-z]/.test(key)) console.log(key)\n`

test("docs: README's example runs, and finds its order paid when it runs again", () => {
  const once = () => ran('order.mjs')
  const history = ['1 start open', '2 event paying']
  const [charged, ...records] = once()
  expect(charged).toBe('charged 12, key order/o-17@1/charge@2')
  expect(records).toEqual(expect.arrayContaining(history))
  expect(records.at(-1)).toMatch(/^\d+ event paid$/)
  expect(once()).toEqual(records)
})

test("docs: MONGODB.md's driver of one's own connects", () => {
  expect(ran('own-driver.mjs')).toContain('true')
})

test('docs: every snippet that says that it runs is run here', () => {
  expect(snippets.flatMap(({ run }) => run ?? [])).toEqual(['order.mjs', 'own-driver.mjs'])
})

/** What a snippet prints. */
function ran(file: string): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' })
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return stdout.trim().split('\n')
}
