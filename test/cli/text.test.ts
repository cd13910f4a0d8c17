import { describe, expect, it } from 'vitest'
import { tableLines } from '../../src/cli/table.ts'
import { bytes, padded, shortened, widthOf } from '../../src/cli/text.ts'
import { printable } from '../../src/ports/printable.ts'

describe('texts from outside', () => {
  it('cannot drive a terminal', () => {
    expect(printable('a\x1b[31m\nb\u202ec\x9b')).toBe('a\\u001b[31m\\u000ab\\u202ec\\u009b')
    expect(printable('Käse 写真 👩‍🔬')).toBe('Käse 写真 👩‍🔬')
  })

  it('are measured in columns', () => {
    expect(['Käse', 'Ka\u0308se', '写真', '👩‍🔬'].map(widthOf)).toEqual([4, 4, 4, 2])
    expect(padded('写真', 6)).toBe('写真  ')
    expect(shortened('写真の山', 6)).toBe('写真…')
    expect(shortened('photo', 5)).toBe('photo')
  })

  it('stand under each other, and none is cut', () => {
    const long = 'x'.repeat(50)
    expect(
      tableLines(
        [
          ['NAME', 'SIZE'],
          ['a\n', '1 B'],
          [long, '10 B'],
        ],
        [1],
      ),
    ).toEqual([`NAME${' '.repeat(38)}SIZE`, `a\\u000a${' '.repeat(35)} 1 B`, `${long}  10 B`])
  })
})

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [14229, '14.2 kB'],
  [3e9, '3.0 GB'],
])('%i bytes are %s', (size, text) => {
  expect(bytes(size)).toBe(text)
})
