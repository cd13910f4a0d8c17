import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

it('examples/testing.mjs passes', () => {
  const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', resolve('examples/testing.mjs')], {
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/^# pass 6$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
})
