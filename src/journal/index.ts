// What `duramen/journal` offers.
export { type AesGcmOptions, aesGcm, type Key, type Keys } from './aes-gcm.ts'
export { backup, type CopyOptions } from './file/backup.ts'
export type { BrokenLink, ChainHead, ChainReport } from './file/chain.ts'
export {
  type CheckOptions,
  checkJournal,
  type JournalReport,
  type JournalUsage,
  type LostRecords,
} from './file/check.ts'
export type { Damage, DamageKind } from './file/examine.ts'
export { type FileJournal, type FileJournalOptions, fileJournal, type ReclaimOptions } from './file/file-journal.ts'
export { type FollowOptions, type JournalReader, openJournal, type ReaderOptions } from './file/reader.ts'
export type { Reclaimed } from './file/reclaim.ts'
export type { TornTail } from './file/recover.ts'
export { type RepairLosses, type RepairOptions, type RepairReport, repairJournal } from './file/repair.ts'
export { type Restored, type RestoreOptions, restore } from './file/restore.ts'
export { type FileKeys, fileKeys } from './file-keys.ts'
export type { EncodedFrame, FrameCodec, FramePlace } from './frame-codec.ts'
export { memoryJournal } from './memory.ts'
export { type ExportOptions, exportJournal } from './ndjson/export.ts'
export { type Imported, importJournal } from './ndjson/import.ts'
export type { Append, Appended, BackedUp, DueStream, Journal, Range, StoredRecord, StoredSnapshot } from './port.ts'
export type { Commit, CommitHeader, CommitKind, CommitOutcome, EffectRecord, TimerRecord } from './records.ts'
