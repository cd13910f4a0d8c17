// The port of who has started this process and waits for it to be ready: systemd, or what speaks like it.

/**
 * Who has started this process and looks after it (S6). None of these calls can fail: what can't be told is logged by the
 * one who can't tell it, and the host goes on.
 */
export interface ServiceManager {
  /** Everything critical is up; said once. From now on it is told that the event loop turns, if it wants to know. */
  ready(): void
  /** What the process is doing, as one line for people. */
  status(text: string): void
  /** Starting, or stopping, goes on: wait for it `ms` milliseconds more, from now on. */
  extend(ms: number): void
  /** The process has begun to end. */
  stopping(): void
  /** Nothing more is told; what is under way ends first. May be called twice. */
  close(): Promise<void>
}
