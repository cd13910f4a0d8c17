import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { folder, start } from './command.ts'

it('examples/effects.mjs does what docs/EFFECTS.md says', async () => {
  const example = start([], { main: resolve('examples/effects.mjs'), cwd: await folder() })
  const { code, stdout, stderr } = await example.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trim().split('\n')).toEqual([
    'charge order/o-17@1/charge@1, attempt 1',
    'charge order/o-17@1/charge@1, attempt 2',
    'charge order/o-17@1/charge@1, attempt 3',
    'approval asked for',
    'approved by ann; a second time it is a duplicate: true',
  ])
})
