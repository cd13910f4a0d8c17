// What the journal tells about the images of a pipeline, without running their machines.
import { decodeCommit, streamOf } from '../journal/records.ts'
import type { ImageInput, Outcome, Processed } from '../machines/index.ts'
import type { Host, Listed } from '../runtime/host.ts'
import { counted } from './text.ts'

const MACHINE = 'images.image'

export interface Image {
  /** As it was called in source/. */
  readonly name: string
  readonly size: number
  readonly sha256: string
  /** The code in the picture. */
  readonly code: string | null
  /** Undefined: not at its end yet. */
  readonly outcome: Outcome | undefined
  readonly problem: string | undefined
}

/** The last commit of every image, in the order in which they were taken. */
export async function listImages(host: Host): Promise<Listed[]> {
  const images = await host.list({ machine: MACHINE })
  return images.sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
}

export const outcomeOf = ({ attributes }: Listed) => attributes.outcome as Outcome | undefined

/** `8 archived`, `2 duplicates`. */
export const countedAs = (n: number, outcome: Image['outcome']) =>
  outcome === 'duplicate' ? counted(n, outcome) : `${n} ${outcome ?? 'not finished'}`

/** All about an image. */
export async function describe(host: Host, listed: Listed): Promise<Image> {
  let input: ImageInput | undefined
  let code: string | null = null
  for await (const record of host.journal.read(streamOf(MACHINE, listed.id))) {
    const commit = decodeCommit(record)
    if (commit.kind === 'start') input = commit.payload() as ImageInput
    else code = codeIn(commit.payload()) ?? code
  }
  const { original: name, size, sha256 } = input!
  const { problem } = listed.attributes as { problem?: string }
  return { name, size, sha256, code, outcome: outcomeOf(listed), problem: problem ?? listed.problem?.message }
}

/** Both outputs carry the same code; only what ends the processing has outputs. */
function codeIn(payload: unknown): string | null | undefined {
  const { data } = (payload ?? {}) as { data?: Partial<Extract<Processed, { duplicate: false }>> | null }
  return data?.outputs?.[0]?.code
}
