// The whole pipeline, undisturbed: what its users see of each image.
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { drain, expectStored, imageWorld } from '../support/image-world.ts'

test('I1 I3 an image ends in images_old and its outputs in the store, in order, with their codes', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const { events } = await drain(world)
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
  await expectStored(world, ['A'])
  expect(events.map((event) => event.message)).toEqual([
    'a.png: taken into images_sources',
    'a.png: prepared',
    'a.png: processed, 2 outputs; awaiting upload',
    'a.png: uploaded and read back',
    'a.png: archived as a.png',
  ])
})

test('I5 equal content is uploaded once and reported; equal names are kept beside each other', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'other', 'images_old')
  await world.drop('a.png', 'A')
  await world.drop('b.png', 'A')
  const { events } = await drain(world)
  expect(await world.everything()).toEqual([
    'images_old/a (2).png: A',
    'images_old/a.png: other',
    'images_old/b.png: A',
  ])
  expect(world.published.keys).toHaveLength(1)
  expect(
    events.filter((event) => event.type === 'recognised' || event.type === 'duplicate').map((event) => event.message),
  ).toEqual(['b.png: the store has its content already; not uploaded again', 'b.png: a duplicate, archived as b.png'])
})

test('I6 what is no image goes to quarantined with its reason: bad content, 0 bytes, a link', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'bad')
  await world.drop('b.png', '')
  await writeFile(join(world.root, 'secret'), 'secret')
  await symlink(join(world.root, 'secret'), join(world.images, 'source/c.png'))
  await drain(world)
  expect(await world.names('quarantined')).toEqual(
    ['a.png', 'b.png', 'c.png'].flatMap((name) => [name, `${name}.reason.txt`]),
  )
  expect(await world.names('images_sources')).toEqual([])
  expect(world.published.keys).toEqual([])
})
