// That the contracts find what is wrong, and that a runner which is not Vitest can run them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { right } from 'fp-ts/lib/TaskEither.js'
import { expect, test } from 'vitest'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { expect as compare } from '../../src/testing/expect.ts'
import {
  type ContractCase,
  imageFoldersContract,
  imageStoreContract,
  journalContract,
} from '../../src/testing/index.ts'
import { foldersWorld, storeWorld } from '../filesystem/worlds.ts'

/** Names of the cases that something does not keep. */
async function broken(cases: ContractCase[]): Promise<string[]> {
  const names = await Promise.all(
    cases.map(({ name, run }) =>
      run().then(
        () => [],
        () => [name],
      ),
    ),
  )
  return names.flat()
}

/** A memory journal with one thing wrong. */
const wrong = (change: (journal: Journal) => Partial<Journal>) => ({
  name: 'wrong',
  open: async () => {
    const journal = memoryJournal()
    return { ...journal, ...change(journal) }
  },
})

test('all cases at the same time: they share nothing', async () => {
  expect(await broken(journalContract({ name: 'memory', open: async () => memoryJournal() }))).toEqual([])
  expect(await broken(imageStoreContract('disk', storeWorld))).toEqual([])
  expect(await broken(imageFoldersContract('disk', foldersWorld))).toEqual([])
})

test('K2 a journal that accepts what comes too late is found', async () => {
  const lastWins = wrong((journal) => ({
    append: (append) => async () => {
      const answer = await journal.append(append)()
      return answer._tag === 'Left' && answer.left.code === 'CONFLICT'
        ? { _tag: 'Right', right: { position: 1 } }
        : answer
    },
  }))
  const found = await broken(journalContract(lastWins))
  expect(found).toContain('journal contract: wrong › concurrency › K2 of writers that race for one seq one wins')
})

test('K7 a journal that forgets is found, where it says that it can be reopened', async () => {
  const forgetful = { name: 'wrong', open: async () => memoryJournal(), reopen: async () => memoryJournal() }
  const found = await broken(journalContract(forgetful))
  expect(found).toContain('journal contract: wrong › K7 reopened › every record is there as it was')
  expect(found.every((name) => name.includes('reopened'))).toBe(true)
})

test('a store that keeps nothing, folders that take nothing, are found', async () => {
  const store = imageStoreContract('wrong', async () => {
    const world = await storeWorld()
    return { ...world, store: { ...world.store, find: () => right(undefined) } }
  })
  expect((await broken(store)).length).toBeGreaterThan(2)
  const folders = imageFoldersContract('wrong', async () => {
    const world = await foldersWorld()
    return { ...world, folders: { ...world.folders, waiting: () => right([]) } }
  })
  expect(await broken(folders)).toContain(
    'wrong keeps the contract of ImageFolders › claiming › I4 files wait in the order of their names, as many as are asked for',
  )
})

test('node:test runs them as well', () => {
  const file = fileURLToPath(new URL('./contracts.node-test.mjs', import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', file], { encoding: 'utf8' })
  expect(stdout).toMatch(/^# pass [1-9]\d+$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(status).toBe(0)
})

test.each([
  ['toBe', () => compare(1).toBe(2)],
  ['toEqual', () => compare({ a: [1] }).toEqual({ a: [2] })],
  ['toMatchObject', () => compare({ a: { b: 1 } }).toMatchObject({ a: { b: 2 } })],
  ['toMatchObject, lists', () => compare({ a: [1, 2] }).toMatchObject({ a: [1] })],
  ['toMatchObject, nothing', () => compare(undefined).toMatchObject({ a: 1 })],
  ['toMatch', () => compare('abc').toMatch(/x/)],
  ['toContain', () => compare('abc').toContain('x')],
  ['toHaveLength', () => compare([1]).toHaveLength(2)],
  ['toBeGreaterThan', () => compare(1).toBeGreaterThan(1)],
  ['toBeDefined', () => compare(undefined).toBeDefined()],
  ['toBeUndefined', () => compare(0).toBeUndefined()],
  ['rejects.toThrow', () => compare(Promise.resolve()).rejects.toThrow()],
  ['rejects.toMatchObject', () => compare(Promise.reject({ code: 'A' })).rejects.toMatchObject({ code: 'B' })],
])('expect: %s can fail', async (_, run) => {
  await expect((async () => run())()).rejects.toThrow()
})
