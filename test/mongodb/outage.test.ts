// I2, C1: MongoDB goes and comes under a pipeline. Its own retry is an hour away: what resumes, does so by the connection.
import { expect, test, vi } from 'vitest'
import { mongoConnection, mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { type ConnectionStatus, connection, type PipelineEvent } from '../../src/machines/index.ts'
import { done, sha256 } from '../../src/testing/images/index.ts'
import { noUnhandledRejections, quiet } from '../support/host.ts'
import { imageWorld, outputsOf } from '../support/image-world.ts'
import { mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, withMongo } from '../support/mongodb/server.ts'

noUnhandledRejections()

const HOUR = { first: '1h', max: '1h' } as const

await withMongo((mongo) => {
  /** A pipeline into a server behind a proxy. */
  async function started(mode: 'auto' | 'manual' = 'auto') {
    const server = await mongo.server()
    const proxy = await mongoProxy(server.uri)
    const world = await imageWorld()
    const host = await openHost({ journal: memoryJournal(), logger: quiet })
    const options = { heartbeatFrequencyMS: 500, serverSelectionTimeoutMS: 1000 }
    const driver = await mongoConnection({ uri: proxy.uri, db: freshName(), options })
    const made = connection(host, { driver, timeout: '500ms', openFor: '200ms' })
    const store = mongoImageStore({ db: driver.db })
    const begin = async () => {
      const running = await world.start({ store, mode, retry: HOUR, connection: made })
      return running
    }
    const end = async () => {
      await made.close()
      await host.close()
      await proxy.close()
      await server.close()
    }
    return { server, proxy, world, made, store, begin, end }
  }
  const state = (made: { status(): ConnectionStatus }, wanted: ConnectionStatus['state']) =>
    vi.waitFor(() => expect(made.status().state).toBe(wanted), 20_000)
  const types = (events: readonly PipelineEvent[]) => events.map(({ type }) => type)

  test('I2 C1: away from the start: images wait in images_sources, and go on by themselves', async () => {
    const { proxy, world, made, store, begin, end } = await started()
    await proxy.refuse()
    await state(made, 'disconnected')
    const { pipeline, events, stop } = await begin()
    await world.drop('a.png', 'A')
    await world.drop('b.png', 'B')
    await vi.waitFor(async () => expect(types(events)).toContain('upload_failed'), 20_000)
    expect(await pipeline.status()).toMatchObject({
      has_image: true,
      current_image: 'a.png',
      awaiting_upload: true,
      problem: { code: 'NOT_CONNECTED' },
      folders: { source: 1, images_sources: 1, images_old: 0 },
    })
    expect(made.status().database).toBe('disconnected')
    expect(events.at(-1)!.message).toMatch(
      /^a\.png: stays in images_sources for safety: .*; tried again within 3600 s, or as soon as the connection is back$/,
    )
    await proxy.accept()
    await pipeline.drained()
    expect(made.status().database).toBe('connected')
    expect(await world.names('images_old')).toEqual(['a.png', 'b.png'])
    for (const content of ['A', 'B'])
      expect((await done(store.find(sha256(content))))?.outputs.map((output) => output.sha256)).toEqual(
        outputsOf(content),
      )
    await stop()
    await end()
  })

  test('I2 C1: it goes in the midst of an upload, again and again', async () => {
    const { proxy, world, made, begin, end } = await started()
    const { pipeline, events, stop } = await begin()
    for (const name of ['a', 'b', 'c', 'd']) {
      const cut = proxy.trouble({ cut: 'after' }, { command: 'update', times: 3 })
      const away = cut.first.then(async () => {
        await proxy.refuse()
        await vi.waitFor(() => expect(made.status().state).not.toBe('connected'), 20_000)
        cut.lift()
        await proxy.accept()
      })
      await world.drop(`${name}.png`, name)
      await Promise.race([away, pipeline.drained()])
      cut.lift()
      await vi.waitFor(async () => expect(await world.names('images_old')).toContain(`${name}.png`), 30_000)
      await pipeline.drained()
      await away
    }
    expect(types(events).filter((type) => type === 'archived').length).toBe(4)
    expect(types(events)).not.toContain('duplicate')
    await stop()
    await end()
  })

  test('I2 C1: a pipeline that is opened again, after an outage that its process has not outlived', async () => {
    const { proxy, world, made, begin, end } = await started()
    await proxy.refuse()
    await state(made, 'disconnected')
    const first = await begin()
    await world.drop('a.png', 'A')
    await vi.waitFor(async () => expect(types(first.events)).toContain('upload_failed'), 20_000)
    await first.stop()
    await proxy.accept()
    await state(made, 'connected')
    const second = await begin()
    await second.pipeline.drained()
    expect(await world.names('images_old')).toEqual(['a.png'])
    await second.stop()
    await end()
  })

  test('I2 C1 manual: what waits for processFinal still waits when the connection comes', async () => {
    const { proxy, world, made, begin, end } = await started('manual')
    await proxy.refuse()
    await state(made, 'disconnected')
    const { pipeline, events, stop } = await begin()
    await world.drop('a.png', 'A')
    const reaches = (status: string) =>
      vi.waitFor(async () => expect((await pipeline.status()).status).toBe(status), 20_000)
    await reaches('prepared')
    await pipeline.processAuto()
    await reaches('awaitingUpload')
    await proxy.accept()
    await state(made, 'connected')
    expect((await pipeline.status()).status).toBe('awaitingUpload')
    await proxy.refuse()
    await state(made, 'disconnected')
    await pipeline.processFinal()
    await vi.waitFor(async () => expect(types(events)).toContain('upload_failed'), 20_000)
    await proxy.accept()
    await pipeline.drained() // it was asked for
    await stop()
    await end()
  })
})
