// The files beside it are checked by the compiler; an error that was expected and did not come is one, too.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
const project = fileURLToPath(new URL('.', import.meta.url))

test('types: what is inferred from a machine', () => {
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', project, '--pretty', 'false', '--listFiles'], {
    encoding: 'utf8',
  })
  const lines = stdout.trim().split('\n')
  expect(lines.filter((line) => line.includes(': error TS'))).toEqual([])
  expect(lines.filter((line) => line.endsWith('.types.ts'))).toHaveLength(1)
})
