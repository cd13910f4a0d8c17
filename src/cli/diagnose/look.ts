// Checks that run side by side, each with a limit: what hangs costs no more than that, and hides none of the others.
import { isDuramenError } from '../../ports/errors.ts'
import { type Finding, fail } from './finding.ts'

export interface Check {
  readonly name: string
  /** Aborted at its limit. What it rejects with is a finding, too. */
  look(signal: AbortSignal): Promise<readonly Finding[]>
}

/** ms for each of them. With what comes before and after, a diagnosis is done within 10 s. */
export const CHECK_LIMIT = 8_000

/** All of them, in their order. `hung`: something of them may still be under way. */
export async function lookAll(
  checks: readonly Check[],
  limit = CHECK_LIMIT,
): Promise<{ findings: Finding[]; hung: boolean }> {
  let hung = false
  const found = await Promise.all(
    checks.map(async ({ name, look }) => {
      const controller = new AbortController()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<readonly Finding[]>((resolve) => {
        timer = setTimeout(() => {
          hung = true
          resolve([
            fail(
              name,
              `there was no answer within ${limit / 1000} s`,
              'Look at what this reads: its disk or network hangs.',
            ),
          ])
          controller.abort()
        }, limit)
      })
      try {
        return await Promise.race([look(controller.signal), late])
      } catch (error) {
        return [failed(name, error)]
      } finally {
        clearTimeout(timer)
      }
    }),
  )
  return { findings: found.flat(), hung }
}

function failed(name: string, error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error)
  return fail(name, message, (isDuramenError(error) && error.hint) || 'Look at what the message names.')
}
