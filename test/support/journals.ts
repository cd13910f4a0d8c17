export {
  type CrashJournal,
  crashJournal,
  type Fault,
  type FaultyJournal,
  faultyJournal,
  kept,
  type Plan,
} from '../../src/testing/index.ts'
