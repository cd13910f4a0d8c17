// What an editor shows of duramen is its doc comments.
import { expect, test } from 'vitest'
import { entryPoints, exportsOf } from '../../scripts/declarations.mjs'

test.each([...entryPoints()])('docs: every export of %s has a doc comment', (_, file) => {
  const exported = [...exportsOf(file)]
  expect(exported.length).toBeGreaterThan(0)
  expect(exported.filter(([, comment]) => !comment).map(([name]) => name)).toEqual([])
})
