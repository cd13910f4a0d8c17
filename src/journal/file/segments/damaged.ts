// The errors for segments that are not as they were written, or not there.
import { dirname } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import type { Header } from './format.ts'

/** The error for bytes that are not as they were written. */
export function damaged(file: string, offset: number, what: string): DuramenError {
  return new DuramenError('JOURNAL_DAMAGED', `${file} is damaged at byte ${offset}: ${what}`, {
    where: { file, offset },
    hint: `Nothing was changed. Run: ${next(file)}`,
  })
}

/** The error for records that no segment holds, or two. */
export function gap(file: string, expected: number, first: number): DuramenError {
  const what = first > expected ? 'are missing before' : 'are there twice, see'
  const [from, to] = first > expected ? [expected, first - 1] : [first, expected - 1]
  return new DuramenError('JOURNAL_DAMAGED', `The records ${from} to ${to} ${what} ${file}`, {
    where: { file, position: from },
    hint: `Nothing was changed. Put the missing segment files back, or run: ${next(file)}`,
  })
}

/** The error for a folder that has none. */
export function noJournal(folder: string): DuramenError {
  return new DuramenError('FOLDER_MISSING', `There is no journal in ${folder}`, {
    where: { file: folder },
    hint: 'Start the host that writes it first, or look whether this is the folder that it was given.',
  })
}

/** The error for records that the index in a folder knows, and that are not at the end of the log. */
export function endLost(index: string, file: string, from: number, to: number): DuramenError {
  const repair = `Put the missing segment files back, or: ${next(index)}`
  const older = `Or, where an older copy was put there on purpose, remove the folder ${JSON.stringify(index)}.`
  return new DuramenError(
    'JOURNAL_DAMAGED',
    `The records ${from} to ${to} are missing: the journal ends before, and its index knows them`,
    { where: { file, position: from }, hint: `Nothing was changed. ${repair} ${older}` },
  )
}

/** Refuses a file whose header is not that of the segment with that first position. */
export function assertHeader(header: Header | string, file: string, first: number, salt: number): void {
  if (typeof header === 'string') throw damaged(file, 0, header)
  if (header.first !== first) throw damaged(file, 16, `its header names position ${header.first} as its first`)
  if (header.salt !== salt) throw damaged(file, 12, 'it belongs to another journal')
}

const next = (file: string) =>
  `duramen check ${JSON.stringify(dirname(file))}. It finds all that is damaged, says what it has cost, and can repair it.`
