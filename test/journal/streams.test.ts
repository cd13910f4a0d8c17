// What is known of streams while the index is written beside it.
import { expect, test } from 'vitest'
import { Streams } from '../../src/journal/file/index/streams.ts'
import { NOT_URGENT } from '../../src/journal/records.ts'

class Known extends Streams {
  protected mayHave(): boolean {
    return true
  }
  /** The index is asked, then written, then answers what it had before. */
  answeredLate(name: string, before: number) {
    this.taken(this.taking())
    return this.load(name, 0, before)
  }
}

test('K2 an answer of the index from before it was given the last records does not take them back', () => {
  const streams = new Known()
  const stream = streams.found('s')!
  stream.last = 12 // the log was read from record 13 on
  for (let seq = 13; seq <= 16; seq++) streams.add(stream, seq * 100, 100, NOT_URGENT)
  stream.claimed = stream.last
  expect(streams.answeredLate('s', 12)).toMatchObject({ loaded: true, last: 16, claimed: 16 })
})
