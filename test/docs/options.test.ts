// docs/OPTIONS.md says what the code does: it is made from the declarations in dist, and the limits are what a host has.
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { choiceOf } from '../../scripts/declarations.mjs'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'

test('docs: OPTIONS.md is up to date (npm run docs)', () => {
  const { stderr, status } = spawnSync(process.execPath, ['scripts/options.mjs', '--check'], { encoding: 'utf8' })
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
})

test('docs: a type in OPTIONS.md is the one that its own file means, where another file has one of that name', () => {
  const mode = (file: string) => choiceOf('Mode', resolve('dist', file))
  expect(mode('machines/image/options.d.ts')).toBe("'auto' | 'manual'")
  expect(mode('cli/supervise/environment.d.ts')).toBe("'dev' | 'prod'")
  expect(choiceOf('ImagePipeline', resolve('dist/machines/image/index.d.ts'))).toBe('ImagePipeline')
  expect(choiceOf('AbortSignal', resolve('dist/machines/image/options.d.ts'))).toBe('AbortSignal')
})

test('docs: K9 the limits of a host have the defaults that OPTIONS.md says', async () => {
  const page = await readFile('docs/OPTIONS.md', 'utf8')
  const host = await openHost({ journal: memoryJournal() })
  const said = Object.keys(host.limits).map((name) => {
    const row = page.match(new RegExp(`^\\| \`${name}\` \\| \`number\` \\| ([\\d,]+) \\|`, 'm'))
    return [name, Number(row?.[1]?.replaceAll(',', ''))]
  })
  expect(Object.fromEntries(said)).toEqual(host.limits)
  await host.close()
})
