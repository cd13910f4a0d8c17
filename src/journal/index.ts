// What `duramen/journal` offers.
export { type AesGcmOptions, aesGcm, type Key, type Keys } from './encryption/aes-gcm.ts'
export { type FileKeys, fileKeys } from './encryption/file-keys.ts'
export { backupJournal, type CopyOptions } from './file/backup/backup.ts'
export { type Restored, type RestoreOptions, restoreJournal } from './file/backup/restore.ts'
export {
  type CheckOptions,
  checkJournal,
  type JournalReport,
  type JournalUsage,
  type LostRecords,
} from './file/check/check.ts'
export type { Damage, DamageKind } from './file/check/findings.ts'
export { type RepairOptions, type RepairReport, repairJournal } from './file/check/repair.ts'
export type { RepairLosses, RepairWay } from './file/check/repair-plan.ts'
export type { TornTail } from './file/commit/recover.ts'
export { type FileJournal, type FileJournalOptions, fileJournal } from './file/file-journal.ts'
export { type FollowOptions, type JournalReader, openJournal, type ReaderOptions } from './file/reading/reader.ts'
export type { Reclaimed } from './file/reclaim.ts'
export type { ReclaimOptions } from './file/reclaiming.ts'
export type { BrokenLink, ChainHead, ChainReport } from './file/segments/chain.ts'
export type { EncodedFrame, FrameCodec, FramePlace } from './frame-codec.ts'
export { memoryJournal } from './memory.ts'
export { type ExportOptions, exportJournal } from './ndjson/export.ts'
export { type Imported, importJournal } from './ndjson/import.ts'
export type { Append, Appended, BackedUp, DueStream, Journal, Range, StoredRecord, StoredSnapshot } from './port.ts'
export type { Commit, CommitHeader, CommitKind, CommitOutcome, EffectRecord, TimerRecord } from './records.ts'
