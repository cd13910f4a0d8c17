// Nothing of a picture is kept: what a caller gets is looked for in all that is written.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { right } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { DuramenError, openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { createDevice, type DeviceDriver } from '../../src/machines/index.ts'
import { refused } from '../support/host.ts'

const CANARY = 'KANARIENVOGEL'
const bytes = new TextEncoder().encode(CANARY.repeat(50))
/** As text, as numbers, in base64 and hex. */
const TRACES = [
  CANARY,
  [...bytes.subarray(0, 6)].join(','),
  Buffer.from(bytes).toString('base64').slice(0, 16),
  Buffer.from(CANARY).toString('hex'),
]

type Ops = { capture: { input: { template: string } | undefined; output: Uint8Array } }

function driver(): DeviceDriver<Ops> {
  const identity = { name: 'canary', serial: null, node: null, pixels: bytes }
  let nth = 0
  return {
    name: 'canary',
    operations: { capture: { repeatable: true, timeout: 1000 } },
    access: () => async () => right({ state: 'granted', node: null, pixels: bytes }),
    connect: () => async () => right(identity),
    perform: () => async () => {
      nth++
      const where = { file: CANARY }
      if (nth % 4 === 1) return right({ output: bytes, bytes })
      if (nth % 4 === 2) throw new DuramenError('USB_PROTOCOL', 'wrong', { cause: bytes, where })
      if (nth % 4 === 3) throw Object.assign(new Error('no'), { bytes, cause: CANARY })
      throw CANARY
    },
    probe: () => async () => right(undefined),
    recover: () => async () => right(identity),
    watch: () => {
      throw Object.assign(new Error('no'), { bytes, cause: CANARY })
    },
    close: () => async () => right(undefined),
  }
}

test('D9 K12 nothing of a picture, nor of what was asked with it, in journal, index, snapshots, log or backup', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-canary-'))
  try {
    const lines: string[] = []
    const take = (...given: unknown[]) => void lines.push(inspect(given, { depth: 9, maxArrayLength: null }))
    const logger = { debug: take, info: take, warn: take, error: take }
    const journal = await fileJournal(join(folder, 'journal'), { indexEvery: 16 })
    const host = await openHost({ journal, logger, snapshotEvery: 4 })
    const device = await createDevice(host, { driver: driver(), ladder: { first: 0 } })
    for (let i = 0; i < 12; i++) {
      const capture = device.perform('capture', { template: CANARY })
      if (i % 3 === 0) expect(await capture).toBe(bytes)
      else await capture.catch(() => {})
    }
    await refused(device.perform('capture', { template: CANARY }, { signal: AbortSignal.abort(CANARY) }))
    await host.backup(join(folder, 'backup'))
    await device.close()
    await host.close()
    lines.push(inspect(device.diagnosis()))
    await writeFile(join(folder, 'log'), lines.join('\n'))

    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['log', 'snapshots', 'backup.json']))
    expect(lines.length).toBeGreaterThan(1)
    for (const { parentPath, name } of files) {
      const content = (await readFile(join(parentPath, name))).toString('latin1')
      for (const trace of TRACES) expect(content.includes(trace), `${trace} in ${name}`).toBe(false)
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
