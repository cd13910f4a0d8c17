// What a unit is before it is stored: whether a document can hold its facts, and which of its outputs go into that document.
import type { ObjectId } from 'mongodb'
import { DuramenError } from '../../ports/errors.ts'
import { checkHash } from '../../ports/given.ts'
import type { StoreOutput, StoreUnit } from '../../ports/image.ts'

/** Of `inline`: all outputs in one document; with its facts it stays well below MongoDB's 16 MB. */
const ROOM = 4
/** Bytes of name, codes and info. */
const MAX_FACTS = 4 * 1024 * 1024
/** Of an output's hash, id and size as BSON. */
const PER_OUTPUT = 200

/** Its info as JSON. Throws BAD_INPUT for what can't be stored as it is. */
export function checkUnit({ key, name, outputs, info }: StoreUnit): string {
  checkHash('key', key)
  for (const { size, sha256 } of outputs) {
    checkHash('hash', sha256)
    if (!Number.isSafeInteger(size) || size < 0)
      throw badInput(`an output of ${size} bytes`, 'Give the number of bytes.')
  }
  const texts = [name, ...outputs.flatMap(({ code }) => code ?? [])]
  if (!texts.every((text) => typeof text === 'string' && !/\p{Surrogate}/u.test(text)))
    throw badInput('a name or code with half a character', 'Give whole Unicode: text.toWellFormed().')
  const facts = jsonOf(info)
  const size = [facts, ...texts].reduce((sum, text) => sum + Buffer.byteLength(text), outputs.length * PER_OUTPUT)
  if (size <= MAX_FACTS) return facts
  throw badInput(`${size} bytes of facts beside the outputs`, `At most ${MAX_FACTS}: make large ones an output.`)
}

function jsonOf(info: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(info)
    if (text?.startsWith('{')) return text
  } catch {}
  throw badInput('info that is no object of plain JSON', 'Give one with texts, numbers, lists and objects.')
}

const badInput = (what: string, hint: string) => new DuramenError('BAD_INPUT', `A unit has ${what}`, { hint })

/** Which outputs become files, and under which ids; those that don't stay in the document. */
export function placesFor(
  outputs: readonly StoreOutput[],
  inline: number,
  newId: () => ObjectId,
): (ObjectId | undefined)[] {
  let room = ROOM * inline
  return outputs.map(({ size }) => {
    if (size > Math.min(inline, room)) return newId()
    room -= size
    return undefined
  })
}
