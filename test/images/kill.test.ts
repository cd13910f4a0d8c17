// A real process that is killed at random moments (DURAMEN_SOAK=1: 50 times), and what is found at the end.
import { join } from 'node:path'
import { test } from 'vitest'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { killedAtRandom } from '../support/image-kill.ts'
import { compiledSources } from '../support/image-process.ts'

const compiled = compiledSources()

test('I1 I2 I5 killed at random moments, each image ends in one place, stored once and processed once', async () => {
  const rounds = process.env.DURAMEN_SOAK ? 50 : 10
  await killedAtRandom(compiled, { rounds, images: 200, open: (root) => fileSystemStore(join(root, 'store')) })
}, 600_000)
