import { expect } from '../expect.ts'
import { test } from '../suite.ts'
import { done, failed } from './results.ts'
import { type FoldersWorld, sha256 } from './world.ts'

/** Ways out of images_sources, and who may use the folders. */
export function leaveSuite(world: () => FoldersWorld): void {
  async function claimed(name: string, content: string): Promise<void> {
    await world().drop('source', name, content)
    await done(world().folders.claim(name))
  }

  test('I1 archiving moves a file to images_old; asked again it answers the same', async () => {
    await claimed('a.png', 'hello')
    expect(await done(world().folders.archive('a.png', sha256('hello')))).toBe('a.png')
    expect(await done(world().folders.archive('a.png', sha256('hello')))).toBe('a.png')
    expect(await world().names('images_sources')).toEqual([])
    expect(await world().content('images_old', 'a.png')).toBe('hello')
  })

  test('I5 an archived name is not overwritten', async () => {
    for (const content of ['one', 'two', 'three', 'four', 'five']) {
      await claimed('a.png', content)
      await done(world().folders.archive('a.png', sha256(content)))
    }
    const names = ['a (2).png', 'a (3).png', 'a (4).png', 'a (5).png', 'a.png']
    expect(await world().names('images_old')).toEqual(names)
    expect(await world().content('images_old', 'a (4).png')).toBe('four')
    expect(await done(world().folders.archive('a.png', sha256('three')))).toBe('a (3).png')
  })

  test('I1 content that was not asked for is not archived', async () => {
    await claimed('a.png', 'hello')
    await world().drop('images_sources', 'a.png', 'other')
    expect((await failed(world().folders.archive('a.png', sha256('hello')))).code).toBe('FILE_CHANGED')
    expect(await world().names('images_sources')).toEqual(['a.png'])
    expect(await world().names('images_old')).toEqual([])
  })

  test('archiving what is nowhere is FILE_GONE', async () => {
    expect((await failed(world().folders.archive('a.png', sha256('x')))).code).toBe('FILE_GONE')
    expect(await world().names('images_old')).toEqual([])
  })

  test('I6 a quarantined file has its reason beside it', async () => {
    await claimed('a.png', 'hello')
    const quarantine = world().folders.quarantine('a.png', sha256('hello'), 'no image')
    expect(await done(quarantine)).toBe('a.png')
    expect(await done(quarantine)).toBe('a.png')
    expect(await world().names('quarantined')).toEqual(['a.png', 'a.png.reason.txt'])
    expect(await world().content('quarantined', 'a.png.reason.txt')).toContain('no image')
    expect((await done(world().folders.count())).quarantined).toBe(1)
  })

  test('I5 neither a quarantined file nor a file called like its reason is overwritten', async () => {
    await world().drop('quarantined', 'a.png.reason.txt', 'mine')
    await claimed('a.png', 'hello')
    expect(await done(world().folders.quarantine('a.png', sha256('hello'), 'bad'))).toBe('a (2).png')
    expect(await world().content('quarantined', 'a.png.reason.txt')).toBe('mine')
  })

  test('the files of all folders are counted', async () => {
    await world().drop('source', 'a.png', 'a')
    await world().drop('source', 'b.png', 'b')
    await claimed('c.png', 'c')
    await world().drop('images_old', 'd.png', 'd')
    expect(await done(world().folders.count())).toEqual({
      source: 2,
      images_sources: 1,
      images_old: 1,
      quarantined: 0,
    })
  })

  test('only one may have the folders; the other is told who has them', async () => {
    expect(await failed(world().another().open())).toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
    await done(world().folders.close())
    await done(world().folders.close())
    const other = world().another()
    await done(other.open())
    await done(other.open())
    await done(other.close())
    expect((await failed(world().folders.waiting(1))).code).toBe('CLOSED')
  })
}
