import { expect } from '../expect.ts'
import { test } from '../suite.ts'
import { collect, done } from './results.ts'
import { type StoreWorld, sha256, unitOf } from './world.ts'

/** Publishing units and reading them. */
export function publishSuite(world: () => StoreWorld): void {
  const contents = ['the first output', 'the second', '']

  test('I3 a unit comes back whole: outputs in order, codes, facts', async () => {
    const unit = unitOf('a.png', contents)
    const stored = await done(world().store.put(unit))
    const { key, name, info } = unit
    const outputs = unit.outputs.map(({ code, size, sha256 }) => ({ code, size, sha256 }))
    expect(stored).toEqual({ key, name, info, outputs, existed: false })
    expect(await done(world().another().find(key))).toEqual({ ...stored, existed: true })
    for (const [i, content] of contents.entries()) {
      expect(String(await collect(await done(world().store.read(key, i))))).toBe(content)
    }
  })

  test('I5 a unit is stored once: the first one counts', async () => {
    const first = await done(world().store.put(unitOf('a.png', contents)))
    const again = await done(
      world()
        .another()
        .put({ ...unitOf('a.png', ['other']), name: 'b.png' }),
    )
    expect(again).toEqual({ ...first, existed: true })
  })

  test('I5 outputs with the same content, within a unit and between units', async () => {
    await done(world().store.put(unitOf('a.png', ['same', 'same'])))
    await done(world().store.put(unitOf('b.png', ['same'])))
    for (const name of ['a.png', 'b.png']) {
      expect(String(await collect(await done(world().store.read(sha256(name), 0))))).toBe('same')
    }
  })

  test('I3 names, codes and facts come back as they were, whatever characters they have', async () => {
    const odd = ['$set', 'a.b.c', '.', '$', '', '__proto__', 'Käse\u0000\n', '🧀 "quoted" \\'] as const
    const info = JSON.parse(
      JSON.stringify(Object.fromEntries(odd.map((name) => [name, { [name]: [name, null, 1.5] }]))),
    )
    const unit = unitOf('odd', [...odd])
    const outputs = unit.outputs.map((output, i) => ({ ...output, code: odd[i]! }))
    const stored = await done(world().store.put({ ...unit, name: odd.join(), outputs, info }))
    expect(stored.name).toBe(odd.join())
    expect(stored.outputs.map(({ code }) => code)).toEqual([...odd])
    expect(JSON.stringify(stored.info)).toBe(JSON.stringify(info))
    expect(await done(world().another().find(unit.key))).toEqual({ ...stored, existed: true })
  })

  test('two puts of the same unit at once', async () => {
    const [one, two] = await Promise.all([
      done(world().store.put(unitOf('a.png', contents))),
      done(world().another().put(unitOf('a.png', contents))),
    ])
    expect({ ...one, existed: false }).toEqual({ ...two, existed: false })
  })

  test('I5 puts of one key at once that disagree: one is stored, the others are told which', async () => {
    for (const round of ['a', 'b', 'c']) {
      await oneIsStored(world(), sha256(round), ['first', 'second', 'third'])
    }
  })

  test('I5 the same in place of a unit that is damaged', async () => {
    for (const round of ['a', 'b', 'c']) {
      const { key } = await done(world().store.put(unitOf(round, [round])))
      await world().damage(sha256(round))
      await oneIsStored(world(), key, ['first', 'second', 'third'])
    }
  })

  test('a unit that is not there', async () => {
    expect(await done(world().store.find(sha256('nothing')))).toBeUndefined()
  })

  test('the keys of all units', async () => {
    for (const name of ['a', 'b', 'c']) await done(world().store.put(unitOf(name, [name])))
    const keys: string[] = []
    for await (const key of world().store.keys()) keys.push(key)
    expect(keys.sort()).toEqual(['a', 'b', 'c'].map((name) => sha256(name)).sort())
  })

  test('a sweep leaves what is published', async () => {
    await done(world().store.put(unitOf('a.png', contents)))
    await done(world().store.sweep())
    expect(await done(world().store.find(sha256('a.png')))).toBeDefined()
    await done(world().store.close())
  })
}

/** Puts units with these outputs under one key, each as another process would. */
async function oneIsStored(world: StoreWorld, key: string, contents: readonly string[]): Promise<void> {
  const put = (content: string) => done(world.another().put({ ...unitOf(content, [content]), key }))
  const answers = await Promise.all(contents.map(put))
  const [stored, ...more] = answers.filter(({ existed }) => !existed)
  expect(stored).toBeDefined()
  expect(more).toEqual([])
  const found = { ...stored, existed: true }
  for (const answer of answers) expect({ ...answer, existed: true }).toEqual(found)
  expect(await done(world.store.find(key))).toEqual(found)
  expect(contents).toContain(String(await collect(await done(world.store.read(key, 0)))))
}
