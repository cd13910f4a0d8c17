// A process that dies in the middle: file operations that stop for ever at a chosen one.

/** Where to stop, and who wants to hear of each operation. */
export interface CrashOptions {
  /** The operation to stop at, from 1; never when left out. */
  readonly stopAt?: number
  /** Whether that operation still happens. Default 'before': it doesn't. */
  readonly when?: 'before' | 'after'
  /** Hears of each operation: its name ('rename', or 'handle.sync' for one on an open file) and its arguments. */
  readonly onOp?: (operation: string, args: readonly unknown[]) => void
}

/** File operations that crash, and what the test needs to know of them. */
interface CrashingFs<T> {
  /** In place of the real object. From the crash on no call ever settles, as if the process had died. */
  readonly files: T
  /** Resolves at the crash. */
  readonly crashed: Promise<'crashed'>
  /** Operations so far. */
  count(): number
  /** Closes the files that the dead process had open, as the system does. */
  bury(): Promise<void>
}

interface Closable {
  close(): Promise<void>
}

/** Wraps an object of asynchronous file operations such as node:fs/promises, and the file handles it opens. */
export function crashingFs<T extends object>(real: T, options: CrashOptions = {}): CrashingFs<T> {
  const { stopAt = Number.POSITIVE_INFINITY, when = 'before', onOp } = options
  const opened = new Set<Closable>()
  const running = new Set<Promise<unknown>>()
  let operations = 0
  let die!: (value: 'crashed') => void
  const crashed = new Promise<'crashed'>((resolve) => {
    die = resolve
  })
  const never = new Promise<never>(() => {})

  async function run(name: string, args: unknown[], operate: () => Promise<unknown>): Promise<unknown> {
    const at = ++operations
    if (at > stopAt || (at === stopAt && when === 'before')) {
      die('crashed')
      return never
    }
    onOp?.(name, args)
    const operation = operate()
    running.add(operation)
    try {
      return await operation
    } finally {
      running.delete(operation)
      if (operations >= stopAt) {
        die('crashed')
        await never
      }
    }
  }

  const wrap = <O extends object>(object: O, prefix: string): O =>
    new Proxy(object, {
      get(target, key) {
        const value = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          run(prefix + String(key), args, async () => {
            const result = await Reflect.apply(value, target, args)
            if (key === 'close') opened.delete(target as unknown as Closable)
            if (key !== 'open') return result
            opened.add(result)
            return wrap(result, 'handle.')
          })
      },
    })

  return {
    files: wrap(real, ''),
    crashed,
    count: () => operations,
    bury: async () => {
      await Promise.allSettled(running)
      for (const handle of opened) await handle.close().catch(() => {})
    },
  }
}
