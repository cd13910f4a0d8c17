// What is asked of the process that a host lives in; node's own `process` fits. Replaced in tests.

/** A signal that asks a process to end, or to do something. */
export type SignalName = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGBREAK' | 'SIGUSR1' | 'SIGUSR2'

/** The process that a host lives in. */
export interface HostProcess {
  readonly pid: number
  readonly env: Record<string, string | undefined>
  on(signal: SignalName, listener: () => void): unknown
  off(signal: SignalName, listener: () => void): unknown
  /** Ends it at once. */
  exit(code: number): void
  memoryUsage(): { readonly rss: number; readonly heapUsed: number; readonly external: number }
}
