// Contract suites as data: a list of cases that any test runner can loop over. The cases are written with `describe` and
// `test` as in every test file; those only note them.
import { AsyncLocalStorage } from 'node:async_hooks'

/** One case of a contract: `for (const { name, run } of cases) test(name, run)`. */
export interface ContractCase {
  /** What must hold. */
  readonly name: string
  /** Rejects, with an AssertionError mostly, when it does not. Cases share nothing and can run at the same time. */
  run(): Promise<void>
}

type Run = () => Promise<void> | void

let cases: ContractCase[] = []
let path: string[] = []

/** The cases that `define` notes; `around` calls each of them when it runs. */
export function casesOf(
  name: string,
  define: () => void,
  around: (run: Run) => Promise<void> | void = (run) => run(),
): ContractCase[] {
  const before = { cases, path }
  cases = []
  path = []
  try {
    describe(name, define)
    return cases.map(({ name, run }) => ({ name, run: async () => around(run) }))
  } finally {
    cases = before.cases
    path = before.path
  }
}

/** Cases that belong together. */
export function describe(title: string, define: () => void): void {
  path.push(title)
  define()
  path.pop()
}

const cleanups = new AsyncLocalStorage<Run[]>()

/** A case. */
export function test(title: string, run: Run): void {
  const whole = async () => {
    const after: Run[] = []
    try {
      await cleanups.run(after, async () => run())
    } finally {
      for (const cleanup of after.reverse()) await cleanup()
    }
  }
  cases.push({ name: [...path, title].join(' › '), run: whole })
}

/** Called when the case that is running is over, however it ends; the last one first. */
export const onTestFinished = (cleanup: Run): void => void cleanups.getStore()!.push(cleanup)
