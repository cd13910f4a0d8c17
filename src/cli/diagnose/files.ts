// Folders that must be writable, and files of models that must be whole. Nothing is written.
import { createHash } from 'node:crypto'
import { access, constants, open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fsError } from '../../journal/fs-error.ts'
import { bytes } from '../text.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { existing } from './machine.ts'
import type { Model } from './model.ts'

/** One after the other, so that a disk that hangs holds up no more than one thread. */
export async function folders(paths: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const path of paths) findings.push(await folderFinding(path))
  return findings
}

async function folderFinding(path: string): Promise<Finding> {
  const there = await existing(path)
  try {
    if (!(await stat(there)).isDirectory())
      return fail('folders', `${there} is no folder`, 'take it away, or name another')
    await access(there, constants.W_OK | constants.X_OK)
    return ok('folders', there === resolve(path) ? `${path} is writable` : `${path} can be made`)
  } catch (error) {
    const { message, hint = '' } = fsError(error, `write to ${there}`, { file: there })
    return fail('folders', message, hint)
  }
}

export async function models(wanted: readonly Model[], signal: AbortSignal): Promise<Finding[]> {
  if (wanted.length === 0) return [ok('models', 'none is named: --model, or duramen.models in package.json')]
  const findings: Finding[] = []
  for (const model of wanted) findings.push(await modelFinding(model, signal))
  return findings
}

/** What git-lfs leaves in the place of a file that was not fetched begins so. */
const POINTER = 'version https://git-lfs.github.com/spec/'
const GET = 'fetch or copy it anew'

async function modelFinding({ path, sha256 }: Model, signal: AbortSignal): Promise<Finding> {
  let size: number
  try {
    const found = await stat(path)
    if (!found.isFile()) return fail('models', `${path} is no file`, 'name the file itself')
    size = found.size
    if (size === 0) return fail('models', `${path} is empty`, GET)
    const { first, hash } = await read(path, sha256 !== undefined, signal)
    if (first.startsWith(POINTER))
      return fail('models', `${path} is a pointer of git-lfs, not the file`, 'git lfs pull')
    if (hash === sha256) return ok('models', `${path}, ${bytes(size)}${sha256 ? ', hash as it should be' : ''}`)
    return fail('models', `${path} has another hash: ${hash}`, GET)
  } catch (error) {
    if (signal.aborted)
      return warn(
        'models',
        `${path} was not read to its end in time`,
        sha256 ? `compare by hand: sha256sum ${JSON.stringify(path)}` : 'look whether its disk hangs',
      )
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return fail('models', `${path} is not there`, 'fetch it, or mend its path')
    const { message, hint = '' } = fsError(error, `read ${path}`, { file: path })
    return fail('models', message, hint)
  }
}

async function read(path: string, hashed: boolean, signal: AbortSignal) {
  const file = await open(path)
  const hash = createHash('sha256')
  let first: string | undefined
  for await (const piece of file.createReadStream({ signal })) {
    first ??= piece.toString('latin1', 0, POINTER.length)
    if (!hashed) break
    hash.update(piece)
  }
  return { first: first ?? '', hash: hashed ? hash.digest('hex') : undefined }
}
