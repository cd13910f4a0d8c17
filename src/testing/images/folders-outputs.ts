import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from '../expect.ts'
import { test } from '../suite.ts'
import { collect, done, failed } from './results.ts'
import { type FoldersWorld, sha256 } from './world.ts'

/** Outputs of processing. */
export function outputsSuite(world: () => FoldersWorld): void {
  const key = sha256('image')

  test('I3 outputs from bytes and from files are kept in their order', async () => {
    const dir = await done(world().folders.workDir(key, 'a.png'))
    await writeFile(join(dir, 'thumb.webp'), 'second')
    const outputs = [{ bytes: Buffer.from('first') }, { file: join(dir, 'thumb.webp') }, { bytes: Buffer.from('') }]
    const saved = await done(world().folders.saveOutputs(key, 'a.png', outputs))
    expect(saved.map(({ size, sha256 }) => ({ size, sha256 }))).toEqual(
      ['first', 'second', ''].map((content) => ({ size: content.length, sha256: sha256(content) })),
    )
    expect(saved[1]?.file).toMatch(/\.webp$/)
    for (const [i, content] of ['first', 'second', ''].entries()) {
      expect(String(await collect(await done(world().folders.readOutput(saved[i]!))))).toBe(content)
    }
    await expect(access(dir)).rejects.toThrow()
  })

  test('outputs replace those of an earlier attempt, and are there after opening again', async () => {
    const earlier = await done(
      world().folders.saveOutputs(key, 'a.png', [{ bytes: Buffer.from('1') }, { bytes: Buffer.from('2') }]),
    )
    const saved = await done(world().folders.saveOutputs(key, 'a.png', [{ bytes: Buffer.from('new') }]))
    await done(world().folders.close())
    const again = world().another()
    await done(again.open())
    expect(String(await collect(await done(again.readOutput(saved[0]!))))).toBe('new')
    expect((await failed(again.readOutput(earlier[1]!))).code).toBe('OUTPUTS_MISSING')
    await done(again.close())
  })

  test('dropped outputs are OUTPUTS_MISSING; dropping twice is no error', async () => {
    const saved = await done(world().folders.saveOutputs(key, 'a.png', [{ bytes: Buffer.from('1') }]))
    await done(world().folders.dropOutputs(key, 'a.png'))
    await done(world().folders.dropOutputs(key, 'a.png'))
    expect((await failed(world().folders.readOutput(saved[0]!))).code).toBe('OUTPUTS_MISSING')
  })

  test('an output outside of the scratch folder is refused, and stays', async () => {
    const mine = await done(world().folders.workDir(key, 'a.png'))
    const other = await done(world().folders.workDir(key, 'b.png'))
    await writeFile(join(other, 'x'), 'x')
    for (const file of [join(other, 'x'), join(mine, '..', 'x'), mine]) {
      expect((await failed(world().folders.saveOutputs(key, 'a.png', [{ file }]))).code).toBe('BAD_INPUT')
    }
    await access(join(other, 'x'))
  })

  test('a scratch folder is empty each time', async () => {
    const dir = await done(world().folders.workDir(key, 'ä/../b\n'))
    await writeFile(join(dir, 'x'), 'x')
    expect(await done(world().folders.workDir(key, 'ä/../b\n'))).toBe(dir)
    await expect(access(join(dir, 'x'))).rejects.toThrow()
  })
}
