// The outputs of processing, from the processor's scratch folder to flat files that survive a crash:
// `.duramen/outputs/<sha256 of the image>.<index>` with the extension the processor gave, if it gave one.
//
// I1 an output is durable before it is answered: each file is synced, then their folder once.
// I3 outputs keep their order: the index is a part of the name.
import { createHash } from 'node:crypto'
import { basename, dirname, extname, join, resolve, sep } from 'node:path'
import { DuramenError } from '../../ports/errors.ts'
import { checkHash } from '../../ports/given.ts'
import type { OutputFile, OutputSource } from '../../ports/image.ts'
import { draftName } from './crossing.ts'
import type { Dir, Folder } from './dir.ts'
import { errnoOf, fileError } from './errors.ts'
import { chunks, type Digest, digest, digestOf, type Files, withFile, writeNew } from './files.ts'
import { openRegular } from './inspect.ts'

const outputName = /^[0-9a-f]{64}\.\d+(\.\w{1,16})?$/

export function createOutputs(files: Files, kept: Dir, work: Dir) {
  /** Names of files may be anything, and another file may have had this one; those of scratch folders go to other programs. */
  const scratch = (sha256: string, name: string): string =>
    createHash('sha256').update(`${sha256}/${name}`).digest('hex').slice(0, 32)

  const remove = (folder: Folder, name: string): Promise<void> =>
    files.unlink(folder.at(name)).catch((error) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })

  async function removeOf(folder: Folder, sha256: string, keep: Set<string>): Promise<void> {
    for (const entry of await files.readdir(folder.itself)) {
      if (entry.startsWith(`${sha256}.`) && !keep.has(entry)) await remove(folder, entry)
    }
  }

  const removeScratch = (sha256: string, name: string): Promise<void> =>
    work.use((folder) => files.rm(folder.at(scratch(sha256, name)), { recursive: true, force: true }))

  async function write(folder: Folder, bytes: Uint8Array, target: string): Promise<Digest> {
    const draft = folder.at(draftName())
    const written = await writeNew(files, draft, (handle) => digest([bytes], (chunk) => handle.writeFile(chunk)))
    await files.rename(draft, folder.at(target))
    return written
  }

  async function adopt(folder: Folder, path: string, target: string, signal?: AbortSignal): Promise<Digest> {
    const found = await withFile(openRegular(files, path, path), async (handle) => {
      const found = await digestOf(handle, signal)
      await handle.chmod(0o600)
      await handle.sync()
      return found
    })
    await files.rename(path, folder.at(target))
    return found
  }

  async function keep(folder: Folder, source: OutputSource, target: string, from: string, signal?: AbortSignal) {
    if ('bytes' in source) return await write(folder, source.bytes, target)
    const { file } = source
    try {
      return await adopt(folder, await insideOf(from, file), target, signal)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(error, `keep the output ${file}`, file, signal)
      throw new DuramenError('BAD_INPUT', `The output ${file} is not there`, {
        cause: error,
        where: { file },
        hint: 'The processor must have finished writing its outputs when it answers.',
      })
    }
  }

  /** The file's path with all links in front of its name resolved; refused where that leads out of the scratch folder. */
  async function insideOf(scratchPath: string, file: string): Promise<string> {
    const path = join(await files.realpath(dirname(resolve(scratchPath, file))), basename(file))
    if (path.startsWith((await files.realpath(scratchPath)) + sep)) return path
    throw new DuramenError(
      'BAD_INPUT',
      `The output ${file} does not lie in the folder for scratch files ${scratchPath}`,
      {
        where: { file },
        hint: 'Write outputs into `workDir`, which the processor is given; they are moved from there, not copied.',
      },
    )
  }

  return {
    workDir: (sha256: string, name: string): Promise<string> =>
      work.use(async (folder) => {
        await files.rm(folder.at(scratch(sha256, name)), { recursive: true, force: true })
        await files.mkdir(folder.at(scratch(sha256, name)), 0o700)
        return folder.shown(scratch(sha256, name))
      }),

    save: async (
      sha256: string,
      name: string,
      outputs: readonly OutputSource[],
      signal?: AbortSignal,
    ): Promise<OutputFile[]> => {
      checkHash('hash', sha256)
      const saved: OutputFile[] = []
      await kept.use(async (folder) => {
        for (const [index, source] of outputs.entries()) {
          signal?.throwIfAborted()
          const target = `${sha256}.${index}${'file' in source ? extensionOf(source.file) : ''}`
          const written = await keep(folder, source, target, join(work.path, scratch(sha256, name)), signal)
          saved.push({ file: target, ...written })
        }
        const current = new Set(saved.map(({ file }) => file))
        await removeOf(folder, sha256, current)
        await folder.sync()
      })
      await removeScratch(sha256, name)
      return saved
    },

    read: async (output: OutputFile): Promise<AsyncIterable<Uint8Array>> => {
      const shown = join(kept.path, output.file)
      const open = () => kept.use((folder) => openRegular(files, folder.at(checkName(output.file)), shown))
      // A first look here, so that what is missing is an error of this call and not one in the middle of a stream.
      const size = await withFile(open(), async (handle) => (await handle.stat()).size).catch((error) => {
        throw errnoOf(error) === 'ENOENT' ? missing(shown, 'is not there (any more)', error) : error
      })
      if (size !== output.size) throw missing(shown, `has ${size} bytes instead of ${output.size}`)
      return stream(open, shown)
    },

    /** Removes all outputs of an image and its scratch folder. */
    drop: async (sha256: string, name: string): Promise<void> => {
      await removeScratch(sha256, name)
      if (sha256 === '') return // what was never read has no outputs
      checkHash('hash', sha256)
      await kept.use((folder) => removeOf(folder, sha256, new Set()))
    },

    /** Removes all scratch folders, and outputs that were not finished. */
    sweep: async (): Promise<void> => {
      await work.use(async (folder) => {
        for (const name of await files.readdir(folder.itself)) {
          await files.rm(folder.at(name), { recursive: true, force: true })
        }
      })
      await kept.use(async (folder) => {
        for (const name of await files.readdir(folder.itself)) if (!outputName.test(name)) await remove(folder, name)
      })
    },
  }
}

async function* stream(open: () => ReturnType<typeof openRegular>, shown: string): AsyncGenerator<Uint8Array> {
  try {
    const handle = await open()
    try {
      yield* chunks(handle)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(error, `read ${shown}`, shown)
  }
}

const extensionOf = (file: string): string => (/^\.\w{1,16}$/.test(extname(file)) ? extname(file) : '')

function checkName(file: string): string {
  if (outputName.test(file)) return file
  throw new DuramenError('BAD_INPUT', `${JSON.stringify(file)} is not the name of an output`, {
    where: { file },
    hint: 'Hand over what `saveOutputs` answered.',
  })
}

const missing = (file: string, how: string, cause?: unknown): DuramenError =>
  new DuramenError('OUTPUTS_MISSING', `The output ${file} ${how}`, {
    cause,
    where: { file },
    hint: 'Process the image again.',
  })
