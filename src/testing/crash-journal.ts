// The journal of a process that dies: from the crash on nothing is answered any more.
import { right } from 'fp-ts/lib/Either.js'
import type { Journal } from '../journal/port.ts'

/** A journal whose process dies. */
export interface CrashJournal extends Journal {
  /** Appends that came so far. */
  readonly appends: number
  readonly crashed: boolean
  /** Resolves at the crash. */
  readonly death: Promise<void>
  /** Kills the process now. */
  crash(): void
}

const never = new Promise<never>(() => {})

/**
 * A journal of a process that dies at append `at` (counted from 1; default: only when `crash` is called), `before` the
 * append is done (default) or `after`. From then on no call is answered, so that its host is as good as dead: the next host
 * is opened on `inner`, which closing leaves open.
 */
export function crashJournal(
  inner: Journal,
  at = Number.POSITIVE_INFINITY,
  when: 'before' | 'after' = 'before',
): CrashJournal {
  let appends = 0
  let crashed = false
  let die!: () => void
  const death = new Promise<void>((resolve) => {
    die = resolve
  })

  const answered = async <T>(call: () => Promise<T>): Promise<T> => {
    if (crashed) return never
    const answer = await call()
    return crashed ? never : answer
  }
  async function* alive<T>(items: AsyncIterable<T>) {
    for await (const item of items) {
      if (crashed) await never
      yield item
    }
    if (crashed) await never
  }

  const own = {
    get appends() {
      return appends
    },
    get crashed() {
      return crashed
    },
    death,
    crash: () => {
      crashed = true
      die()
    },
    append: (append: Parameters<Journal['append']>[0]) => async () => {
      if (crashed) return never
      const last = ++appends === at
      if (last) crashed = true
      if (last && when === 'before') {
        die()
        return never
      }
      const answer = await inner.append(append)()
      if (last) die()
      return crashed ? never : answer
    },
    close: () => () => answered(async () => right(undefined)),
  }
  // whatever else the port has: a task, a promise, or records to read
  return new Proxy(inner, {
    get(target, key) {
      if (key in own) return own[key as keyof typeof own]
      const call = Reflect.get(target, key)
      if (typeof call !== 'function') return call
      return (...args: unknown[]) => {
        const result: (() => Promise<unknown>) | Promise<unknown> | AsyncIterable<unknown> = Reflect.apply(
          call,
          target,
          args,
        )
        if (typeof result === 'function') return () => answered(result)
        if (!(result instanceof Promise)) return alive(result)
        result.catch(() => {})
        return answered(() => result)
      }
    },
  }) as CrashJournal
}
