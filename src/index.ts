// The public surface, nothing else.

export type { Clock } from './ports/clock.ts'
export {
  DuramenError,
  type DuramenErrorCode,
  type DuramenErrorOptions,
  type ErrorPlace,
  isDuramenError,
} from './ports/errors.ts'
export type { Logger, PinoLogger } from './ports/logger.ts'
export { DurableActor, type StateObserver } from './runtime/actor.ts'
export type { AskOptions } from './runtime/ask.ts'
export type { JournalError } from './runtime/counts.ts'
export type { DeadLetter } from './runtime/dead-letters.ts'
export { deliver } from './runtime/deliver.ts'
export { type DurableMachine, type DurableOptions, durable } from './runtime/durable.ts'
export type { Duration } from './runtime/duration.ts'
export { type CurrentEffect, currentEffect } from './runtime/effects.ts'
export type { Ailing, Health, HostStats, Some } from './runtime/health.ts'
export type { HistoryEntry } from './runtime/history.ts'
export { type ActorOptions, Host, type HostOptions, type Listed, openHost } from './runtime/host.ts'
export type { InstanceInfo } from './runtime/info.ts'
export type { Receipt } from './runtime/inputs.ts'
export type { By } from './runtime/operators.ts'
export type { JournalEntry } from './runtime/records-stream.ts'
export type { RetryPolicy } from './runtime/retry.ts'
export type { PastState, TriedState } from './runtime/time-travel.ts'
export type { Difference, Verified, VerifyOptions, VerifyReport } from './runtime/verify.ts'
