// I1 I3 I5: whatever befalls whichever command of a put, a unit is there whole or not at all, once, and the next put
// mends it. Every trouble at every command in turn, in databases of their own, several at once.
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { done, unitOf } from '../../src/testing/images/index.ts'
import { type MongoProxy, mongoProxy, type Trouble } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'
import { asReplicaSet, clientOf, inside } from './worlds.ts'

const AT_ONCE = 12
/** How long a command is held back, and how long the store waits for it, ms. */
const HELD = 1000
const WAITS = 300

const unit = unitOf('a.png', ['one', 'the second', 'the third', ''])
const notPrimary = { ok: 0, errmsg: 'not primary', code: 10107, errorLabels: ['RetryableWriteError'] }
const stopping = { ok: 0, errmsg: 'interrupted at shutdown', code: 11600 }
const unconfirmed = { code: 64, codeName: 'WriteConcernTimeout', errmsg: 'waiting for replication timed out' }

const troubles: Record<string, Trouble> = {
  'the connection is cut before it': { cut: 'before' },
  'the connection is cut after it': { cut: 'after' },
  'the connection is cut in its answer': { cut: 'in the answer' },
  'it is held back for longer than the store waits': { delay: HELD },
  'the server is no primary': { answer: notPrimary },
  'the server is stopping': { answer: stopping },
  'no majority confirms it': {
    replace: (answer) =>
      'cursor' in answer || 'localTime' in answer ? answer : { ...answer, writeConcernError: unconfirmed },
  },
}

/** What is not as on a standalone server. */
interface Setting {
  /** The unit is there, damaged. */
  readonly damaged?: true
  /** A replica set, and a driver that sends again by itself. */
  readonly replicas?: true
  /** No majority can be read from. */
  readonly local?: true
}

const noMajority = { ok: 0, code: 148, errmsg: 'no majority here' }

await withMongo((mongo) => {
  describe.skipIf(!mongo.own)('every command of a put', () => {
    let server: MongoServer
    let proxy: MongoProxy
    let direct: MongoClient
    beforeAll(async () => {
      server = await mongo.server()
      proxy = await mongoProxy(server.uri)
      direct = new MongoClient(server.uri)
    })
    afterAll(async () => {
      await direct?.close()
      await proxy?.close()
      await server?.close()
    })

    async function putWith(trouble: Trouble, after: number, times: number, name: string, setting: Setting) {
      const { damaged: isDamaged, replicas, local } = setting
      const client = clientOf(proxy.uri, replicas && { serverApi: '1', retryWrites: true, retryReads: true })
      const timeout = 'delay' in trouble && trouble.delay > 0 ? WAITS : '60s'
      const db = client.db(name)
      const { count, whole, tidy, empty } = inside(direct.db(name))
      const store = mongoImageStore({ db, inline: 4, timeout })
      if (isDamaged) {
        await done(mongoImageStore({ db: direct.db(name), inline: 4 }).put(unit))
        await direct
          .db(name)
          .collection('images.chunks')
          .updateMany({}, { $set: { data: Buffer.from('damaged') } })
      }
      if (local) proxy.trouble({ answer: noMajority }, { db: name, command: 'find' })
      const met = proxy.trouble(trouble, { db: name, after, times })
      const first = await store.put(unit)()
      met.lift()
      const found = await whole(unit.key).catch((error) => {
        if (!isDamaged || error.code !== 'STORE_MISMATCH') throw error
      })
      if (first._tag === 'Left') {
        expect(['NOT_CONNECTED', 'OUTCOME_UNKNOWN'], first.left.message).toContain(first.left.code)
        expect(first.left.retryable).toBe(true)
      } else expect(found).toEqual({ ...first.right, existed: true })
      // where time is short, another host's store: this machine may be slow
      const again = await done((timeout === WAITS ? mongoImageStore({ db, inline: 4 }) : store).put(unit))
      // a late command may still have published the first
      if (found) expect(again.existed).toBe(true)
      expect(await whole(unit.key)).toEqual({ ...again, existed: true })
      await client.close()
      // what was held back may have got through just now; a sweep counts on more time than that
      if (timeout === WAITS) await sleep(HELD)
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 2, chunks: 2 })
      expect(await whole(unit.key)).toEqual({ ...again, existed: true })
      await empty()
      return { met: met.met, failed: first._tag === 'Left' }
    }

    const after = 'the connection is cut after it'
    const alone = 'no majority confirms it'
    const scenarios: [string, Trouble, Setting][] = Object.entries(troubles).map(([what, one]) => [what, one, {}])
    scenarios.push([`${after}, and the unit is there, damaged`, troubles[after]!, { damaged: true }])
    scenarios.push([`${after}, where no majority can be read from`, troubles[after]!, { local: true }])
    scenarios.push([`${alone}, nor can be read from`, troubles[alone]!, { local: true }])
    for (const what of [after, 'the server is no primary'])
      scenarios.push([`${what}, and the driver sends it again by itself`, troubles[what]!, { replicas: true }])

    test.each(scenarios)('I1 I3 I5 %s', async (_, trouble, setting) => {
      if (setting.replicas) onTestFinished(asReplicaSet(proxy))
      const { met: commands } = await putWith({ delay: 0 }, 0, Number.POSITIVE_INFINITY, freshName(), setting)
      expect(commands).toBeGreaterThan(14)
      const cases = Array.from({ length: commands }, (_, after) => [1, 2].map((times) => ({ after, times }))).flat()
      const failed: string[] = []
      const worker = async () => {
        const name = freshName()
        for (let next = cases.shift(); next; next = cases.shift()) {
          const { after, times } = next
          const result = await putWith(trouble, after, times, name, setting).catch((cause) => {
            throw new Error(`at command ${after} of ${commands}, ${times} times: ${cause}`, { cause })
          })
          if (result.failed && times === 1) failed.push(`${after}`)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      // each is sent once more, and is met once
      if (!('delay' in trouble)) expect(failed).toEqual([])
    })
  })
})
