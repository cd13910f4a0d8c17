// A package that is not installed is told by its name, with the command that installs it.
import { expect, it } from 'vitest'
import { optional } from '../../src/ports/optional.ts'

it('MISSING_PACKAGE, and the package once it is there', async () => {
  const name = 'not-installed-anywhere'
  await expect(optional(name, () => import(name), 'it and more')).rejects.toMatchObject({
    code: 'MISSING_PACKAGE',
    message: expect.stringContaining(name),
    hint: 'Run: npm install it and more',
    cause: expect.any(Error),
  })
  expect(await optional('os', () => import('node:os'), 'os')).toHaveProperty('arch')
})
