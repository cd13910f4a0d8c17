export { crashJournal, type Fault, type FaultyJournal, faultyJournal, kept } from '../../src/testing/index.ts'
