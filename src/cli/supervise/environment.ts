// What a supervised program finds in its environment: set only where the user has not; one that is empty is not set.
//
// S4 what must be there when a process starts. V1 `--dev` and `--prod`.

export type Mode = 'dev' | 'prod'

/** glibc: few arenas, and memory given back early; buffers of a camera or a model would else stay with the process. */
const MEMORY = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' }

const MODES = {
  dev: { HOST: '127.0.0.1', PORT: '8000', NODE_ENV: 'development' },
  prod: { HOST: '0.0.0.0', PORT: '8000', NODE_ENV: 'production' },
}

export function environmentFor(
  given: Readonly<Record<string, string | undefined>>,
  mode: Mode | undefined,
): Record<string, string> {
  const { NODE_OPTIONS: nodeOptions = '', ...rest } = given
  const defaults = { ...MEMORY, ...(mode && MODES[mode]) }
  // `PORT: ${PORT}` in a compose file makes an empty one where there is none
  const isSet = (entry: [string, string | undefined]): entry is [string, string] =>
    entry[1] !== undefined && (entry[1] !== '' || !Object.hasOwn(defaults, entry[0]))
  const env: Record<string, string> = { ...defaults, ...Object.fromEntries(Object.entries(rest).filter(isSet)) }
  // it names this process: systemd's watchdog would be pinged by nobody
  delete env.WATCHDOG_PID
  // secrets of those who are told, which are none of the program's
  delete env.DURAMEN_WEBHOOK
  delete env.DURAMEN_SMTP
  return {
    ...env,
    NODE_OPTIONS: /(^|\s)--expose[-_]gc(\s|$)/.test(nodeOptions) ? nodeOptions : `${nodeOptions} --expose-gc`.trim(),
  }
}
