// Checks that run side by side, each with a limit: what hangs costs no more than that, and hides none of the others.
import { isDuramenError } from '../../ports/errors.ts'
import { textOf } from '../../ports/thrown.ts'
import { type Finding, fail } from './finding.ts'

export interface Check {
  readonly name: string
  /** Aborted at its limit, and then it has a moment to tell what it knows. What it rejects with is a finding, too. */
  look(signal: AbortSignal): Promise<readonly Finding[]>
}

/** ms for each of them. */
export const CHECK_LIMIT = 7_000
/** ms for what it knows, once it is aborted. */
const LAST_WORD = 500

/** Looks at all of them, and tells of each what was found, as soon as it is. */
export async function lookAll(
  checks: readonly Check[],
  tell: (index: number, findings: readonly Finding[]) => void,
  limit = CHECK_LIMIT,
): Promise<void> {
  await Promise.all(checks.map(async (check, index) => tell(index, await lookAt(check, limit))))
}

async function lookAt({ name, look }: Check, limit: number): Promise<readonly Finding[]> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Finding[]>((resolve) => {
    timer = setTimeout(() => {
      controller.abort()
      timer = setTimeout(() => resolve([noAnswer(name, limit)]), LAST_WORD)
    }, limit)
  })
  try {
    return await Promise.race([look(controller.signal), late])
  } catch (error) {
    const gaveUp = controller.signal.aborted && !isDuramenError(error)
    return [gaveUp ? noAnswer(name, limit) : failed(name, error)]
  } finally {
    clearTimeout(timer)
  }
}

export const noAnswer = (name: string, limit: number): Finding =>
  fail(name, `there was no answer within ${limit / 1000} s`, 'look at what this reads: its disk or network hangs')

function failed(name: string, error: unknown): Finding {
  return fail(name, textOf(error), (isDuramenError(error) && error.hint) || 'look at what the message names')
}
