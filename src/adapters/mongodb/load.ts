// mongodb is an optional peer: loaded at the first call, so that who needs no database installs none.
import { DuramenError } from '../../ports/errors.ts'

export type Driver = typeof import('mongodb')

/** MISSING_PACKAGE where it is not installed. */
export async function loadMongodb(): Promise<Driver> {
  try {
    return await import('mongodb')
  } catch (cause) {
    throw new DuramenError('MISSING_PACKAGE', `the package mongodb cannot be loaded: ${(cause as Error).message}`, {
      cause,
      hint: 'Run: npm install mongodb@7',
    })
  }
}
