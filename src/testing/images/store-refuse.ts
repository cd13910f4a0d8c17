import { left, right } from 'fp-ts/lib/TaskEither.js'
import { DuramenError } from '../../ports/errors.ts'
import { expect } from '../expect.ts'
import { test } from '../suite.ts'
import { done, failed } from './results.ts'
import { type StoreWorld, sha256, unitOf } from './world.ts'

/** What a store must not take for stored. */
export function refuseSuite(world: () => StoreWorld): void {
  const wrong = { shorter: 'the secon', longer: 'the second!', other: 'tHe second' }
  for (const [how, second] of Object.entries(wrong))
    test(`I1 I3 bytes that are ${how} than announced: nothing is published`, async () => {
      const unit = unitOf('a.png', ['whole', 'the second'], ['whole', second])
      expect((await failed(world().store.put(unit))).code).toBe('STORE_MISMATCH')
      expect(await done(world().store.find(unit.key))).toBeUndefined()
      expect(await done(world().store.put(unitOf('a.png', ['whole', 'the second'])))).toMatchObject({ existed: false })
    })

  test('I3 an output that cannot be read: its error, and nothing is published', async () => {
    const unit = unitOf('a.png', ['one', 'two'])
    const gone = new DuramenError('OUTPUTS_MISSING', 'gone')
    const outputs = [unit.outputs[0]!, { ...unit.outputs[1]!, read: () => left(gone) }]
    expect(await failed(world().store.put({ ...unit, outputs }))).toBe(gone)
    expect(await done(world().store.find(unit.key))).toBeUndefined()
  })

  test('I1 damaged bytes are not confirmed; putting the unit again mends them', async () => {
    const unit = unitOf('a.png', ['one', 'two'])
    await done(world().store.put(unit))
    await world().damage(sha256('two'))
    expect((await failed(world().store.find(unit.key))).code).toBe('STORE_MISMATCH')
    expect((await done(world().store.put(unit))).existed).toBe(false)
    expect(await done(world().store.find(unit.key))).toMatchObject({ existed: true })
  })

  test('keys and hashes that are none', async () => {
    const unit = unitOf('a.png', ['one'])
    for (const bad of ['', '..', '../../etc/passwd', unit.key.toUpperCase(), `${unit.key}0`]) {
      expect((await failed(world().store.find(bad))).code).toBe('BAD_INPUT')
      expect((await failed(world().store.put({ ...unit, key: bad }))).code).toBe('BAD_INPUT')
      const outputs = [{ ...unit.outputs[0]!, sha256: bad }]
      expect((await failed(world().store.put({ ...unit, outputs }))).code).toBe('BAD_INPUT')
    }
  })

  test('an aborted put', async () => {
    const unit = unitOf('a.png', ['one'])
    expect((await failed(world().store.put(unit, AbortSignal.abort()))).code).toBe('ABORTED')
    expect(await done(world().store.find(unit.key))).toBeUndefined()
  })

  test('a put that is aborted in the midst of an output', async () => {
    const unit = unitOf('a.png', ['one', 'two'])
    const abort = new AbortController()
    const halting = async function* () {
      yield Buffer.from('t')
      abort.abort()
      yield Buffer.from('wo')
    }
    const outputs = [unit.outputs[0]!, { ...unit.outputs[1]!, read: () => right(halting()) }]
    expect((await failed(world().store.put({ ...unit, outputs }, abort.signal))).code).toBe('ABORTED')
    expect(await done(world().store.find(unit.key))).toBeUndefined()
    expect((await done(world().store.put(unit))).existed).toBe(false)
  })

  test('an output that a unit has not', async () => {
    await done(world().store.put(unitOf('a.png', ['one'])))
    for (const [name, index] of [
      ['a.png', 1],
      ['a.png', -1],
      ['b.png', 0],
    ] as const)
      expect((await failed(world().store.read(sha256(name), index))).code).toBe('FILE_GONE')
  })
}
