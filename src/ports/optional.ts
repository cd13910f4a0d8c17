// Packages that only some need, loaded when they are needed.
import { DuramenError } from './errors.ts'
import { textOf } from './thrown.ts'

/** What `load` imports; MISSING_PACKAGE, with the command that installs it, where that fails. */
export async function optional<T>(name: string, load: () => Promise<T>, install: string): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new DuramenError('MISSING_PACKAGE', `the package ${name} cannot be loaded: ${textOf(cause)}`, {
      cause,
      hint: `Run: npm install ${install}`,
    })
  }
}
