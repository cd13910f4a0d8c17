// What `duramen` ends with, in one place; docs/DIAGNOSE.md tells users.
import { constants } from 'node:os'

export const EXIT = {
  fine: 0,
  /** It could not be done, or what was looked at is not as it should be. */
  failed: 1,
  /** The arguments make no sense; nothing was done. */
  usage: 2,
  /** A supervisor has given up (V1): somebody has to come. */
  critical: 3,
} as const

/** What a shell expects of a program that a signal has ended. */
export const exitOfSignal = (name: NodeJS.Signals): number => 128 + constants.signals[name]

/** The last sentence of a command's help. `failed`: what 1 means there. */
export const exitHelp = (fine: string, failed: string): string =>
  `Exit code: ${EXIT.fine} ${fine}, ${EXIT.failed} ${failed}, ${EXIT.usage} usage.`
