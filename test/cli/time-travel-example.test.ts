import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { folder, start } from './command.ts'

it('examples/time-travel.mjs does what it says', async () => {
  const example = start([], { main: resolve('examples/time-travel.mjs'), cwd: await folder() })
  const { code, stdout, stderr } = await example.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual(
    expect.arrayContaining([
      '  c-1 6: done',
      'quoted: 110',
      'total was 70; PAY would have led to shipping',
      'and started: promise ship',
      'c-1 changed: commit 5 led to gift, now to shipping',
    ]),
  )
})
