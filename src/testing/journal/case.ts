// What the cases of the contract share.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Journal, StoredRecord } from '../../journal/port.ts'
import type { DuramenError } from '../../ports/errors.ts'
import { onTestFinished, test } from '../suite.ts'

/** A journal that the contract is run over. */
export interface JournalUnderTest {
  readonly name: string
  /** A new, empty journal for each case; the case closes it. */
  open(): Promise<Journal>
  /** Opens what a closed journal has kept. Left out for one that keeps nothing. */
  readonly reopen?: (closed: Journal) => Promise<Journal>
}

/** A test with an empty journal. */
export function journalTest(subject: JournalUnderTest, title: string, run: (journal: Journal) => Promise<void>): void {
  test(title, async () => {
    const journal = await subject.open()
    onTestFinished(async () => {
      await journal.close()()
    })
    await run(journal)
  })
}

/** The value of a task that must succeed. */
export async function must<A>(task: TaskEither<DuramenError, A>): Promise<A> {
  const answer = await task()
  if (answer._tag === 'Left') throw answer.left
  return answer.right
}

/** The code of the error of a task that must fail. */
export async function refused(task: TaskEither<DuramenError, unknown>): Promise<string> {
  const answer = await task()
  return answer._tag === 'Left' ? answer.left.code : 'nothing was refused'
}

/** Appends texts to a stream whose last seq is `expected`. */
export function add(journal: Journal, stream: string, expected: number, ...texts: string[]): Promise<number> {
  return must(journal.append({ stream, expected, texts })).then(({ position }) => position)
}

export async function all(records: AsyncIterable<StoredRecord>): Promise<StoredRecord[]> {
  const found: StoredRecord[] = []
  for await (const record of records) found.push(record)
  return found
}

/** The texts of records, for cases in which only those matter. */
export async function texts(records: AsyncIterable<StoredRecord>): Promise<string[]> {
  return (await all(records)).map(({ text }) => text)
}

/** `count` different texts. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `text ${index + 1}`)
}
