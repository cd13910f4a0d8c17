import type { Journal } from '../../journal/port.ts'
import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must } from './case.ts'

const commit = (header: object, outcome: object) => `${JSON.stringify(header)}\n${JSON.stringify(outcome)}\nj{}`

async function due(journal: Journal, before: number) {
  const found = []
  for await (const one of journal.due(before)) found.push(one)
  return found.sort((one, other) => one.due - other.due)
}

const pending = async (journal: Journal) =>
  (await all(journal.heads({ pending: true }))).map(({ stream }) => stream).sort()

/** What a host must know when it opens, without reading all heads. */
export function urgentCases(subject: JournalUnderTest): void {
  describe('due and pending', () => {
    journalTest(subject, 'due: the instances whose last record names a time not later', async (journal) => {
      await add(journal, 'm/a', 0, commit({}, { due: 10 }), commit({}, { due: 30 }))
      await add(journal, 'm/b', 0, commit({}, { due: 20 }))
      await add(journal, 'm/c', 0, commit({}, { due: 15 }), commit({}, {}))
      expect(await due(journal, 19)).toEqual([])
      expect(await due(journal, 20)).toEqual([{ stream: 'm/b', due: 20 }])
      expect(await due(journal, Number.POSITIVE_INFINITY)).toEqual([
        { stream: 'm/b', due: 20 },
        { stream: 'm/a', due: 30 },
      ])
    })

    journalTest(subject, 'due: none that is held or at its end, and no text that is no commit', async (journal) => {
      await add(journal, 'm/held', 0, commit({ held: 'paused' }, { due: 10 }))
      await add(journal, 'm/done', 0, commit({}, { due: 10, status: 'done' }))
      await add(journal, '$host', 0, commit({}, { due: 10 }))
      await add(journal, 'm/text', 0, '{"due":10}')
      expect(await due(journal, 10)).toEqual([])
    })

    journalTest(subject, 'pending heads: what a host must look at', async (journal) => {
      await add(journal, 'm/unfinished', 0, commit({ unfinished: 1 }, {}))
      await add(journal, 'm/running', 0, commit({}, { running: 1 }))
      await add(journal, 'm/parked', 0, commit({ held: 'parked' }, {}))
      await add(journal, 'm/paused', 0, commit({ held: 'paused', unfinished: 1 }, { running: 1 }))
      await add(journal, 'm/outside', 0, commit({ handedOver: 1 }, { running: 1 }))
      await add(journal, 'm/finished', 0, commit({ unfinished: 1 }, {}), commit({}, {}))
      await add(journal, 'm/waits', 0, commit({}, { due: 10 }))
      expect(await pending(journal)).toEqual(['m/parked', 'm/running', 'm/unfinished'])
    })

    journalTest(subject, 'pending heads: a purge until what is before it is trimmed', async (journal) => {
      await add(journal, 'm/a', 0, commit({}, {}), commit({ op: 'purge' }, {}))
      expect(await pending(journal)).toEqual(['m/a'])
      await must(journal.trim('m/a', 2))
      expect(await pending(journal)).toEqual([])
    })

    journalTest(
      subject,
      'pending heads: a checkpoint until what is before it is trimmed; it is due as ever',
      async (journal) => {
        await add(journal, 'm/a', 0, commit({}, {}), commit({ op: 'trim' }, { due: 10 }))
        expect(await pending(journal)).toEqual(['m/a'])
        expect(await due(journal, 10)).toEqual([{ stream: 'm/a', due: 10 }])
        await must(journal.trim('m/a', 2))
        expect(await pending(journal)).toEqual([])
        expect(await due(journal, 10)).toEqual([{ stream: 'm/a', due: 10 }])
      },
    )
  })
}
