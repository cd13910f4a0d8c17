// Sizes are read in one way, by commands as by options.
import { expect, it } from 'vitest'
import { bytesIn } from '../../src/ports/size.ts'

it.each([
  ['500000', 500_000],
  ['1B', 1],
  ['500kB', 500_000],
  ['500KB', 500_000],
  ['1.5MB', 1_500_000],
  ['1gb', 1_000_000_000],
])('%s is %i bytes', (text, bytes) => {
  expect(bytesIn(text)).toBe(bytes)
})

it.each(['', '0', '0.1B', 'kB', '-1kB', '1 MB', '1TB', '1e3', '1.MB'])("'%s' is no size", (text) => {
  expect(bytesIn(text)).toBeUndefined()
})
