// What `duramen/journal` offers.
export { type FileJournal, type FileJournalOptions, fileJournal } from './file/file-journal.ts'
export type { TornTail } from './file/recover.ts'
export { memoryJournal } from './memory.ts'
export { type ExportOptions, exportJournal } from './ndjson/export.ts'
export { type Imported, importJournal } from './ndjson/import.ts'
export type { Append, Appended, DueStream, Journal, Range, StoredRecord, StoredSnapshot } from './port.ts'
export type { Commit, CommitHeader, CommitKind, CommitOutcome, EffectRecord, TimerRecord } from './records.ts'
