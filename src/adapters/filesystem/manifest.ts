// What a record of `units/` says (records.ts), as text.
import { DuramenError } from '../../ports/errors.ts'
import { isHash } from '../../ports/given.ts'
import type { StoredUnit } from '../../ports/image.ts'

/** What a manifest holds. */
export type Manifest = Omit<StoredUnit, 'existed'>

const VERSION = 1

export const formatManifest = ({ key, name, outputs, info }: Manifest): string =>
  `${JSON.stringify({ version: VERSION, key, name, outputs, info }, null, 2)}\n`

/** Throws STORE_MISMATCH for text that this store did not write, or that was changed. */
export function parseManifest(text: string, key: string, file: string): Manifest {
  let value: any
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged(file, 'is not JSON', cause)
  }
  if (value?.version !== VERSION) throw damaged(file, `has no version ${VERSION}`)
  if (value.key !== key) throw damaged(file, `is about the key ${value.key}`)
  const { name, outputs, info } = value
  const isWhole =
    typeof name === 'string' &&
    Array.isArray(outputs) &&
    outputs.every(isOutput) &&
    typeof info === 'object' &&
    info !== null
  if (!isWhole) throw damaged(file, 'has missing or wrong fields')
  return { key, name, outputs, info }
}

function isOutput(value: any): boolean {
  const { code, size, sha256 } = value ?? {}
  return (code === null || typeof code === 'string') && Number.isSafeInteger(size) && size >= 0 && isHash(sha256)
}

function damaged(file: string, how: string, cause?: unknown): DuramenError {
  return new DuramenError('STORE_MISMATCH', `The record ${file} ${how}`, {
    cause,
    where: { file },
    hint: 'Restore it from a backup, or move it away: the image is then uploaded again.',
  })
}
