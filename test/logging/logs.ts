// What was logged, as a program and a person would read it.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createLogger, type LoggerOptions } from '../../src/adapters/logging/index.ts'

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-logging-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A logger into a file, and what is in that file. */
export async function fileLogger(options: Partial<LoggerOptions> = {}) {
  const folder = await newFolder()
  const file = join(folder, 'app.log')
  const logger = createLogger({ name: 'app', console: false, file, ...options })
  onTestFinished(() => logger.close())
  const text = () => readFile(file, 'utf8')
  return {
    logger,
    folder,
    file,
    text,
    lines: async () => (await text()).trimEnd().split('\n'),
    objects: async () =>
      (await text())
        .trimEnd()
        .split('\n')
        .map((line): Record<string, any> => JSON.parse(line)),
  }
}

/** The text of all files of a log, oldest first. */
export async function allOf(folder: string, base = 'app.log'): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(base))
  const aside = names.filter((name) => name !== base).toSorted()
  const texts = await Promise.all([...aside, base].map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('')
}
