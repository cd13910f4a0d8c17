// duramen check --expect: whether a chained journal still leads to what was noted of it.
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileJournal } from '../../src/journal/index.ts'
import { add, must } from '../../src/testing/journal/case.ts'
import { duramen, folder } from './command.ts'

it('prints the end of the chain, which --expect takes; the exit code is 1 for another journal, 2 for what is no end', async () => {
  const dir = await folder()
  const heads: string[] = []
  for (const name of ['one', 'two']) {
    const journal = await fileJournal(join(dir, name), { chain: true })
    await add(journal, 'a', 0, `{"of":"${name}"}\n{}\nj0`)
    const { position, hash } = journal.chainHead()!
    heads.push(`${position}:${hash}`)
    await must(journal.close())
  }
  const [head, other] = heads as [string, string]
  const plain = await duramen('check', join(dir, 'one'))
  expect(plain.code).toBe(0)
  expect(plain.stdout).toContain(head)
  const met = await duramen('check', join(dir, 'one'), '--expect', head)
  expect(met).toMatchObject({ code: 0, stdout: expect.stringContaining('leads to what was noted') })
  const changed = await duramen('check', join(dir, 'one'), '--expect', other)
  expect(changed).toMatchObject({ code: 1, stdout: expect.stringContaining('CHANGED') })
  expect(await duramen('check', join(dir, 'one'), '--expect', '1:xyz')).toMatchObject({ code: 2 })
})
