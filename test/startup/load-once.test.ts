import { expect, test } from 'vitest'
import { loadOnce } from '../../src/machines/index.ts'
import { noUnhandledRejections } from '../support/host.ts'

noUnhandledRejections()

/** Ids are for the whole process. */
let used = 0
const name = (text = 'load') => `${text}-${++used}`

test('S2 asked for 100 times at once, a load runs once; those who come later get its value', async () => {
  const id = name()
  let runs = 0
  const load = async () => {
    await null
    return { run: ++runs }
  }
  const all = await Promise.all(Array.from({ length: 100 }, () => loadOnce(id, load)))
  expect(new Set(all).size).toBe(1)
  expect(await loadOnce(id, load)).toBe(all[0])
  expect(runs).toBe(1)
})

test('S2 another id is another load; nothing is a value, too', async () => {
  const [a, b] = [name(), name()]
  let runs = 0
  expect(await Promise.all([loadOnce(a, () => 'a'), loadOnce(b, () => 'b')])).toEqual(['a', 'b'])
  const c = name()
  await loadOnce(c, () => void runs++)
  await loadOnce(c, () => void runs++)
  expect(runs).toBe(1)
})

test('S2 a failed load gives its error to all who waited, and is forgotten before they hear of it', async () => {
  const id = name()
  const error = new Error('no model there')
  let runs = 0
  const load = () => {
    runs++
    if (runs === 1) throw error
    return 'loaded'
  }
  const all = await Promise.all(Array.from({ length: 100 }, () => loadOnce(id, load).catch((e) => e)))
  expect(new Set(all)).toEqual(new Set([error]))
  expect(runs).toBe(1)
  const again = name()
  runs = 0
  expect(await loadOnce(again, load).catch(() => loadOnce(again, load))).toBe('loaded')
  expect(runs).toBe(2)
})

test('S2 two copies of the package share their loads, and see cycles through both', async () => {
  const { loadOnce: other } = (await import('../../src/machines/startup/load-once.ts?copy' as string)) as {
    loadOnce: typeof loadOnce
  }
  expect(other).not.toBe(loadOnce)
  const id = name()
  let runs = 0
  const values = await Promise.all([loadOnce(id, () => ++runs), other(id, () => ++runs)])
  expect([...values, runs]).toEqual([1, 1, 1])
  const [a, b] = [name('a'), name('b')]
  const asked = loadOnce(a, () => other(b, () => loadOnce(a, () => 1)))
  await expect(asked).rejects.toMatchObject({
    code: 'BAD_OPTION',
    message: expect.stringContaining(`'${a}' -> '${b}' -> '${a}'`),
  })
})

test('S2 a load that asks for itself is told so, with the way it took', async () => {
  const a = name('a')
  await expect(loadOnce(a, () => loadOnce(a, () => 1))).rejects.toMatchObject({
    code: 'BAD_OPTION',
    message: `loadOnce: '${a}' -> '${a}' waits for itself`,
  })
  expect(await loadOnce(a, () => 'no more')).toBe('no more')
})

test('S2 two loads begun apart that ask for each other do not wait for ever', async () => {
  const [a, b] = [name('a'), name('b')]
  let go = () => {}
  const both = new Promise<void>((resolve) => {
    go = resolve
  })
  const first = loadOnce(a, async () => {
    await both
    return loadOnce(b, () => 1)
  })
  const second = loadOnce(b, async () => {
    await both
    return loadOnce(a, () => 1)
  })
  go()
  const answers = await Promise.allSettled([first, second])
  expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'rejected'])
  expect(answers[0]).toMatchObject({ reason: { code: 'BAD_OPTION' } })
})

test('S2 a load may ask for what others have, and what it has set going may ask for it later', async () => {
  const [shared, a, b] = [name('shared'), name('a'), name('b')]
  let later: () => Promise<unknown> = () => Promise.resolve()
  const loads = [a, b].map((id) =>
    loadOnce(id, async () => {
      const { AsyncResource } = await import('node:async_hooks')
      later = AsyncResource.bind(() => loadOnce(id, () => 'anew'))
      return `${id} with ${await loadOnce(shared, () => 'it')}`
    }),
  )
  expect(await Promise.all(loads)).toEqual([`${a} with it`, `${b} with it`])
  expect(await later()).toMatch(/ with it$/)
  const failing = name('failing')
  await loadOnce(failing, async () => {
    const { AsyncResource } = await import('node:async_hooks')
    later = AsyncResource.bind(() => loadOnce(failing, () => 'anew'))
    throw new Error('not yet')
  }).catch(() => {})
  expect(await later()).toBe('anew')
})
