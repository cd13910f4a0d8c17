import { it } from 'vitest'
import { encode } from '../../src/journal/codec.ts'
import { noUnhandledRejections } from '../support/host.ts'

noUnhandledRejections()

it('K12: a small view counts, and is kept, without the rest of its buffer', async () => {
  encode({ type: 'A', b: new Uint8Array(new ArrayBuffer(100_000), 0, 8) }, { name: 'event' })
})

it('K12: a typed array of 4,096 bytes is within the limit', () => {
  encode({ b: new Uint8Array(4096) }, { name: 'event' })
})
