// Files that a program is made of, watched while it is being worked on (V1 `--dev`).
import { relative, sep } from 'node:path'
import { watch } from 'chokidar'
import type { Logger } from '../../ports/logger.ts'

const IGNORED = ['node_modules', '.git', '.duramen']
/** What is watched where the user has not said so: a program must not be restarted by the data that it writes. */
const SOURCES = /\.(?:[cm]?[jt]sx?|py)$|(?:^|[/\\])(?:\.env[^/\\]*|package\.json|tsconfig\.json)$/
/** An editor saves a file in several steps, and a build many files. */
const QUIET = 100 // ms

/**
 * Calls `changed` with one of the paths after files have changed: everything below `paths`, or the sources of `folder`.
 * `apart` is never watched. Resolves once all is watched.
 */
export async function watchFiles(
  { folder, paths, apart }: { folder: string; paths: readonly string[]; apart: readonly string[] },
  changed: (path: string) => void,
  logger: Logger,
): Promise<() => Promise<void>> {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(paths.length > 0 ? [...paths] : folder, {
    cwd: folder,
    ignoreInitial: true,
    ignored: (path, stats) => {
      const parts = relative(folder, path).split(sep)
      if (parts.some((part) => IGNORED.includes(part))) return true
      if (apart.some((one) => path === one || path.startsWith(one + sep))) return true
      return paths.length === 0 && stats?.isFile() === true && !SOURCES.test(path)
    },
  })
  watcher.on('all', (event, path) => {
    if (event === 'addDir') return
    clearTimeout(timer)
    timer = setTimeout(() => changed(path), QUIET)
  })
  watcher.on('error', (error) => logger.warn('Not all files can be watched', error as Error))
  await new Promise<void>((resolve) => watcher.once('ready', resolve))
  logger.info(`Files are watched: ${paths.length > 0 ? paths.join(', ') : `the sources in ${folder}`}`)
  return async () => {
    clearTimeout(timer)
    await watcher.close()
  }
}
