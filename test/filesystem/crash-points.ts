// Runs a call once for each of its file operations and lets the process die before or after it; then another process
// takes over.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { expect } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemFolders } from '../../src/adapters/filesystem/index.ts'
import type { DuramenError } from '../../src/ports/errors.ts'
import type { ImageFolders } from '../../src/ports/image.ts'
import { type CrashOptions, crashingFs, done } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

export interface CrashCase<C> {
  /** Builds up what the call finds, in a process that does not die yet; answers what the call needs. */
  prepare(world: DiskWorld): Promise<C>
  call(folders: ImageFolders, context: C): TaskEither<DuramenError, unknown>
  /** Repeats the call in the next process, and checks what it finds. */
  after(folders: ImageFolders, world: DiskWorld, context: C): Promise<void>
}

/** The answer: how many operations were tried. */
export async function dieEverywhere<C>(crashCase: CrashCase<C>, base: Files = nodeFiles): Promise<number> {
  const { from, to } = await runOnce(crashCase, base, {})
  for (let stopAt = from + 1; stopAt <= to; stopAt++) {
    for (const when of ['before', 'after'] as const) {
      let last = ''
      const onOp = (operation: string, args: readonly unknown[]) => {
        last = `${operation} ${args.filter((arg) => typeof arg === 'string').join(' ')}`
      }
      try {
        await runOnce(crashCase, base, { stopAt, when, onOp })
      } catch (error) {
        throw new Error(`died ${when} operation ${stopAt - from} of ${to - from} (last: ${last}): ${error}`, {
          cause: error,
        })
      }
    }
  }
  return to - from
}

async function runOnce<C>({ prepare, call, after }: CrashCase<C>, base: Files, options: CrashOptions) {
  const crash = crashingFs(base, options)
  const world = await foldersWorld({}, crash.files)
  try {
    await done(world.folders.open())
    const context = await prepare(world)
    const from = crash.count()
    const ended = await Promise.race([call(world.folders, context)(), crash.crashed])
    const to = crash.count()
    expect(ended === 'crashed' || ended._tag === 'Right', JSON.stringify(ended)).toBe(true)
    await crash.bury()
    // The process that "died" is this one, and its lock is therefore still good.
    await rm(join(world.root, '.duramen', 'lock'))
    const next = fileSystemFolders(world.root, { stableFor: 0 }, base)
    await done(next.open())
    await after(next, world, context)
    await done(next.close())
    return { from, to }
  } finally {
    await world.dispose()
  }
}

/** As if all folders were on devices of their own. */
export const separateDevices: Files = {
  ...nodeFiles,
  rename: async (from, to) => {
    if (folderOf(from) !== folderOf(to)) throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' })
    await nodeFiles.rename(from, to)
  },
}

const folderOf = (path: unknown): string => String(path).replace(/\/[^/]*$/, '')
