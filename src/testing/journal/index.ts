// The contract of the journal port. Whoever writes a journal runs it: every implementation must keep every case.
import { type ContractCase, casesOf } from '../suite.ts'
import { adoptCases } from './adopt.ts'
import { appendCases } from './append.ts'
import type { JournalUnderTest } from './case.ts'
import { closeCases } from './close.ts'
import { concurrencyCases } from './concurrency.ts'
import { conflictCases } from './conflict.ts'
import { headsCases } from './heads.ts'
import { readCases } from './read.ts'
import { readAllCases } from './read-all.ts'
import { reopenCases } from './reopen.ts'
import { snapshotCases } from './snapshots.ts'
import { trimCases } from './trim.ts'
import { urgentCases } from './urgent.ts'
import { valuesCases } from './values.ts'

export type { JournalUnderTest } from './case.ts'

/**
 * What every journal must keep, as cases for any test runner:
 * `for (const { name, run } of journalContract({ name: 'mine', open })) test(name, run)`.
 */
export function journalContract(subject: JournalUnderTest): ContractCase[] {
  return casesOf(`journal contract: ${subject.name}`, () => {
    appendCases(subject)
    adoptCases(subject)
    conflictCases(subject)
    readCases(subject)
    readAllCases(subject)
    headsCases(subject)
    trimCases(subject)
    snapshotCases(subject)
    urgentCases(subject)
    concurrencyCases(subject)
    valuesCases(subject)
    closeCases(subject)
    if (subject.reopen !== undefined) reopenCases(subject, subject.reopen)
  })
}
