// Every transition of the coordinator, under plain createActor and under the kernel.
import { describe, expect, test } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import { type CoordinatorContext, coordinatorMachine } from '../../src/machines/index.ts'
import { kernel, plain, type Runs, type Subject } from '../support/image-machine.ts'

const file = (name: string, original = name) => ({ name, original, size: 1, sha256: name.padEnd(64, '0') })

const opened =
  (runs: Runs) =>
  (slots = 1): Promise<Subject<CoordinatorContext>> =>
    runs(coordinatorMachine, ['claimNext', 'runImage'], { id: 'image', slots, retry: { first: 100, max: 400 } })
const names = (line: Subject<CoordinatorContext>) => line.context().active.map(({ name }) => name)

describe.each([
  ['plain XState', plain],
  ['the kernel', kernel],
])('under %s', (_, runs) => {
  const open = opened(runs)

  test('I4 one at a time: the next is taken once the last has ended', async () => {
    const line = await open()
    expect(line.asked).toEqual([['claimNext', { blocked: false, known: [] }]])
    await line.answer('claimNext', file('a'))
    expect(line.state()).toBe('full')
    expect(line.asked.slice(1)).toEqual([['runImage', { ...file('a'), id: 'image-000001' }]])
    await line.answer('runImage', 'archived')
    expect(line.state()).toBe('watching')
    expect(line.asked.at(-1)).toEqual(['claimNext', { blocked: false, known: [] }])
    await line.answer('claimNext', file('b'))
    expect(line.asked.at(-1)).toEqual(['runImage', { ...file('b'), id: 'image-000002' }])
    expect(line.context()).toMatchObject({ claimed: 2, totals: { archived: 1 } })
  })

  test('I4 two slots take two; the third waits for either', async () => {
    const line = await open(2)
    await line.answer('claimNext', file('a'))
    expect(line.asked.slice(1)).toHaveLength(2)
    expect(line.asked).toContainEqual(['runImage', { ...file('a'), id: 'image-000001' }])
    expect(line.asked).toContainEqual(['claimNext', { blocked: false, known: ['a'] }])
    await line.answer('claimNext', file('b'))
    expect([line.state(), line.waits('claimNext')]).toEqual(['full', false])
    await line.answer('runImage', 'duplicate')
    expect(names(line)).toEqual(['b'])
    expect(line.asked.at(-1)).toEqual(['claimNext', { blocked: false, known: ['b'] }])
  })

  test.each(['archived', 'duplicate', 'forced', 'quarantined', 'gone'] as const)(
    'each %s is counted',
    async (outcome) => {
      const line = await open()
      await line.answer('claimNext', file('a'))
      await line.answer('runImage', outcome)
      const none = { archived: 0, duplicate: 0, forced: 0, quarantined: 0, gone: 0 }
      expect(line.context().totals).toEqual({ ...none, [outcome]: 1 })
    },
  )

  test('an image that cannot go on is stuck: its slot is free, its file is not taken again', async () => {
    const line = await open()
    await line.answer('claimNext', file('a'))
    await line.answer('runImage', new DuramenError('REPLAY_DIVERGED', 'broken'))
    expect(line.state()).toBe('watching')
    expect(line.context()).toMatchObject({ active: [], stuck: [{ name: 'a' }], problem: { code: 'REPLAY_DIVERGED' } })
    expect(line.asked.at(-1)).toEqual(['claimNext', { blocked: false, known: ['a'] }])
  })

  test('I7 what cannot be taken blocks the line, says why, and is tried again with backoff', async () => {
    const line = await open()
    for (const wait of [100, 200, 400, 400]) {
      await line.answer('claimNext', new DuramenError('FOLDER_MISSING', 'source is missing'))
      expect(line.state()).toBe('blocked')
      expect(line.said.at(-1)).toMatchObject({
        type: 'blocked',
        message: `no file can be taken: source is missing; tried again within ${wait / 1000} s`,
        problem: { code: 'FOLDER_MISSING' },
      })
      await line.pass(wait - 1)
      expect(line.state()).toBe('blocked')
      await line.pass(1)
      expect(line.state()).toBe('watching')
    }
    await line.answer('claimNext', file('a'))
    expect(line.context()).toMatchObject({ problem: null, tries: 0 })
  })

  test('I7 a line that can look again has no trouble any more, also where there is nothing to take', async () => {
    const line = await open()
    for (const wait of [100, 200]) {
      await line.answer('claimNext', new DuramenError('FOLDER_MISSING', 'source is missing'))
      await line.pass(wait)
      expect(line.asked.at(-1)).toEqual(['claimNext', { blocked: true, known: [] }])
    }
    await line.answer('claimNext', null)
    expect(line.state()).toBe('watching')
    expect(line.context()).toMatchObject({ problem: null, tries: 0 })
    expect(line.said.at(-1)).toEqual({ type: 'unblocked', message: 'files can be taken again' })
    expect(line.asked.at(-1)).toEqual(['claimNext', { blocked: false, known: [] }])
    await line.answer('claimNext', new DuramenError('FOLDER_MISSING', 'source is missing'))
    expect(line.said.at(-1)).toMatchObject({ message: expect.stringContaining('tried again within 0.1 s') })
  })

  test('an image ends while the line is blocked', async () => {
    const line = await open(2)
    await line.answer('claimNext', file('a'))
    await line.answer('claimNext', new DuramenError('IO', 'no'))
    await line.answer('runImage', 'archived')
    expect([line.state(), names(line)]).toEqual(['blocked', []])
  })

  test('I9 says what it takes, and under which name', async () => {
    const line = await open(2)
    await line.answer('claimNext', file('a'))
    await line.answer('claimNext', file('b (2)', 'b'))
    expect(line.said).toEqual([
      { type: 'claimed', id: 'image-000001', name: 'a', message: 'a: taken into images_sources' },
      { type: 'claimed', id: 'image-000002', name: 'b (2)', message: 'b: taken into images_sources as b (2)' },
    ])
  })

  test('I4 more slots count at once', async () => {
    const line = await open()
    await line.answer('claimNext', file('a'))
    await line.send({ type: 'CONFIGURE', slots: 2, retry: { first: 1, max: 1 } })
    expect([line.state(), line.waits('claimNext')]).toEqual(['watching', true])
  })

  // The claim that runs already, with room for two, is not called off.
  test('I4 fewer slots count at once', async () => {
    const line = await open(2)
    await line.answer('claimNext', file('a'))
    await line.send({ type: 'CONFIGURE', slots: 1, retry: { first: 1, max: 1 } })
    expect([line.state(), line.waits('claimNext')]).toEqual(['full', false])
  })
})
