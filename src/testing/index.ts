// `duramen/testing`: what others need to test their machines, their hosts and their adapters (docs/TESTING.md). No test
// runner is needed to import it.

export { type VirtualClock, virtualClock } from './clock.ts'
export { type ConnectionWorld, connectionDriverContract } from './connection/index.ts'
export { type CrashJournal, crashJournal } from './crash-journal.ts'
export {
  type Aftermath,
  type CrashPoint,
  type CrashPointOptions,
  everyCrashPoint,
  type Life,
} from './crash-points.ts'
export { type DeviceWorld, deviceDriverContract } from './device/index.ts'
export type { Expected } from './expected.ts'
export { type Fault, type FaultyJournal, faultyJournal, kept, nth, type Plan } from './faulty-journal.ts'
export { frozen } from './frozen.ts'
export { type GivenOptions, given, type Step, type Then, type ThenOrRefused, type WhenThen } from './given.ts'
export {
  type FolderName,
  type FoldersWorld,
  imageFoldersContract,
  imageStoreContract,
  type StoreWorld,
} from './images/index.ts'
export { type JournalUnderTest, journalContract } from './journal/index.ts'
export { quietLogger, type RecordingLogger, recordingLogger } from './logger.ts'
export { settle } from './settle.ts'
export type { CapturedEffect } from './stage.ts'
export { after, type Happening, rejected, resolved, sent } from './steps.ts'
export type { ContractCase } from './suite.ts'
