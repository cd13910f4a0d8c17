import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { Openings } from '../../src/machines/openings.ts'

const live = () => new AbortController().signal

it('openings: all that wait for an id go on when it is opened, nobody else does', async () => {
  const openings = new Openings<string>()
  const told: string[] = []
  const first = openings.opened('a', live()).then((what) => told.push(`first ${what}`))
  const second = openings.opened('a', live()).then((what) => told.push(`second ${what}`))
  const other = openings.opened('b', live()).then((what) => told.push(`other ${what}`))

  openings.open('a', 'A')
  await Promise.all([first, second])
  expect(told).toEqual(['first A', 'second A'])
  openings.open('b', 'B')
  await other
  expect(told).toEqual(['first A', 'second A', 'other B'])
})

it('openings: who asks after it was opened gets it at once, who asks after it was closed waits for the next', async () => {
  const openings = new Openings<string>()
  openings.open('a', 'A')
  expect(openings.get('a')).toBe('A')
  expect(await openings.opened('a', live())).toBe('A')

  openings.close('a')
  expect(openings.get('a')).toBeUndefined()
  const next = openings.opened('a', live())
  openings.open('a', 'A again')
  expect(await next).toBe('A again')
})

it("openings: waiting ends with the signal's reason, and leaves no listener behind", async () => {
  const openings = new Openings<string>()
  const leaving = new AbortController()
  const waits = openings.opened('a', leaving.signal)
  const before = AbortSignal.abort(new Error('already gone'))
  await expect(openings.opened('a', before)).rejects.toThrow('already gone')
  leaving.abort(new Error('the host closes'))
  await expect(waits).rejects.toThrow('the host closes')

  const served = new AbortController()
  const comes = openings.opened('a', served.signal)
  openings.open('a', 'A')
  await comes
  expect(getEventListeners(served.signal, 'abort')).toEqual([])
})
