// docs/OPTIONS.md says what the code does: it is made from the declarations in dist, and the limits are what a host has.
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'

test('docs: OPTIONS.md is up to date (npm run docs)', () => {
  const { stderr, status } = spawnSync(process.execPath, ['scripts/options.mjs', '--check'], { encoding: 'utf8' })
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
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
