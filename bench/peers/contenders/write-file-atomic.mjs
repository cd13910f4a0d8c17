import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { byHand } from '../by-hand.mjs'

export default byHand('XState by hand, a file an instance (write-file-atomic: fsync and rename)', (dir) => {
  const folder = join(dir, 'snapshots')
  if (!existsSync(folder)) mkdirSync(folder)
  return {
    put: (n, text) => writeFileAtomic(join(folder, `${n}.json`), text),
    // beside them lie files that a kill has kept from being renamed
    all: () =>
      readdirSync(folder)
        .filter((name) => /^\d+\.json$/.test(name))
        .map((name) => [Number.parseInt(name, 10), readFileSync(join(folder, name), 'utf8')]),
    close() {},
  }
})
