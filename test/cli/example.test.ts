import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { writeSamples } from '../../src/cli/samples.ts'
import { folder, start } from './command.ts'

it('examples/image-pipeline.mjs does what it says', async () => {
  const cwd = await folder()
  await writeSamples(join(cwd, 'photos/source'))
  const example = start([], { main: resolve('examples/image-pipeline.mjs'), cwd })
  await example.says('turned.jpg: archived')
  example.kill('SIGINT')
  const { code, stderr } = await example.ended
  expect(code).toBe(0)
  expect(stderr, 'the log').toMatch(/^(images: .+: quarantined as .+\n){2}$/)
  expect(await readdir(join(cwd, 'photos/images_old'))).toHaveLength(9)
  expect(await readdir(join(cwd, 'photos/store/units'))).toHaveLength(8)
})

it('examples/schedule.mjs does what it says', async () => {
  const cwd = await folder()
  const example = start([], { main: resolve('examples/schedule.mjs'), cwd })
  await example.says('The next morning report is due at ')
  example.kill('SIGINT')
  expect(await example.ended).toMatchObject({ code: 0, stderr: '' })
})
