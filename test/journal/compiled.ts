// The journal as JavaScript, for child processes: Node 20 can't run TypeScript.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Path of the module that is `duramen/journal`, there while the tests of this file run. */
export function compiledJournal(): string {
  const folder = join(root, `node_modules/.cache/duramen-journal-${process.pid}`)
  beforeAll(() => {
    const options =
      '--ignoreConfig --rewriteRelativeImportExtensions --target es2023 --module nodenext --skipLibCheck --types node'
    const files = ['--rootDir', 'src', '--outDir', folder, 'src/journal/index.ts']
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...options.split(' '), ...files], {
      cwd: root,
      stdio: 'inherit',
    })
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  return join(folder, 'journal/index.js')
}
