// The journal of a process that dies: from the crash on nothing is answered any more.
import { right } from 'fp-ts/lib/Either.js'
import type { Journal } from '../journal/port.ts'

/** A journal whose process dies. */
export interface CrashJournal extends Journal {
  readonly crashed: boolean
  /** Resolves at the crash. */
  readonly death: Promise<void>
  /** Kills the process now. */
  crash(): void
}

/** What changes something in a journal. */
const WRITES: readonly PropertyKey[] = ['append', 'trim', 'saveSnapshot'] satisfies (keyof Journal)[]

const never = new Promise<never>(() => {})

/**
 * A journal of a process that dies at its nth write (an append, a trim or a snapshot, counted from 1; default: only when
 * `crash` is called), `before` the write is done (default) or `after`. From then on no call is answered, so that its host is
 * as good as dead: the next host is opened on `inner`, which closing leaves open.
 */
export function crashJournal(
  inner: Journal,
  nth = Number.POSITIVE_INFINITY,
  when: 'before' | 'after' = 'before',
): CrashJournal {
  let writes = 0
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
  const written = async <T>(write: () => Promise<T>): Promise<T> => {
    const last = !crashed && ++writes === nth
    if (last) crashed = true
    if (crashed && !(last && when === 'after')) {
      die()
      return never
    }
    const answer = await write()
    if (last) die()
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
    get crashed() {
      return crashed
    },
    death,
    crash: () => {
      crashed = true
      die()
    },
    close: () => () => answered(async () => right(undefined)),
  }
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
        if (typeof result === 'function') return () => (WRITES.includes(key) ? written(result) : answered(result))
        if (!(result instanceof Promise)) return alive(result)
        result.catch(() => {})
        return answered(() => result)
      }
    },
  }) as CrashJournal
}
