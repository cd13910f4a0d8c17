// What a program writes: passed on unchanged, and kept in files that are rotated.
//
// V1k
// - Flat memory at any speed: the next piece is read once the slower of the two has taken this one.
// - Once the program has ended, what it said last is kept in its file, also where the other reader takes nothing.
// - What nobody reads any more (`| head`), or has no room, is left out with one warning; the program does not notice.
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { createStream } from 'rotating-file-stream'
import type { Logger } from '../../ports/logger.ts'
import { within } from '../../ports/signal.ts'
import { systemClock } from '../../runtime/clock.ts'

/** Where output goes: resolves once it is taken, or it is clear that nobody takes it. */
export type Sink = (piece: Buffer) => Promise<void>

interface KeptOutput {
  readonly folder: string
  /** Bytes of a file before it is rotated. */
  readonly size: number
  /** How many older files there are beside the one that is written. */
  readonly keep: number
}

/** ms in which what a program has written is read out once it has ended: others may hold its pipes. */
const READ_OUT = 1_000

/**
 * Reads both pipes of a program from now on. What it answers is called once the program has ended, and resolves when what it
 * wrote is where it goes: for a second the console and the file, then, as nobody may take what the console has, the file alone.
 */
export function reading(
  pipes: Readonly<Record<'stdout' | 'stderr', Readable>>,
  consoles: Readonly<Record<'stdout' | 'stderr', Sink>>,
  file: KeptOutput | undefined,
  logger: Logger,
): () => Promise<void> {
  const kept = file && keepIn(file, logger)
  const sinks = kept ? [kept.sink] : []
  const readers = { stdout: releasable(consoles.stdout), stderr: releasable(consoles.stderr) }
  const read = Promise.all([
    drain(pipes.stdout, [readers.stdout.sink, ...sinks]),
    drain(pipes.stderr, [readers.stderr.sink, ...sinks]),
  ]).then(() => kept?.end())
  return async () => {
    await within(systemClock, READ_OUT, read, () => undefined)
    for (const { release } of Object.values(readers)) release()
    await within(systemClock, READ_OUT, read, () => undefined)
    for (const pipe of Object.values(pipes)) pipe.destroy()
  }
}

/** Into `output.log`; the older ones are `output.log.1` and so on. */
function keepIn({ folder, size, keep }: KeptOutput, logger: Logger): { readonly sink: Sink; end(): Promise<void> } {
  const name = (index: unknown) => (index === null ? 'output.log' : `output.log.${index}`)
  const stream = createStream(name, { path: folder, size: `${size}B`, rotate: keep, mode: 0o600 })
  const write = passOn(stream, join(folder, 'output.log'), logger)
  return {
    async sink(piece) {
      for (let at = 0; at < piece.length; at += size) await write(piece.subarray(at, at + size))
    },
    end: () => new Promise((resolve) => (stream.destroyed ? resolve() : stream.once('close', resolve).end())),
  }
}

/** Into a stream that is another's to end. */
export function passOn(stream: Writable, name: string, logger: Logger): Sink {
  let lost = false
  const lose = (error: Error) => {
    if (!lost) logger.warn(`What the program writes no longer goes to ${name}: ${error.message}`)
    lost = true
  }
  stream.on('error', lose)
  return (piece) =>
    new Promise((resolve) => {
      if (lost) return resolve()
      stream.once('close', resolve) // it may go without an answer
      stream.write(piece, (error) => {
        if (error) lose(error)
        stream.off('close', resolve)
        resolve()
      })
    })
}

/** The same sink; from `release` on nobody waits for it any more. */
function releasable(sink: Sink): { readonly sink: Sink; release(): void } {
  let released = false
  let goOn = () => {}
  return {
    sink: (piece) =>
      new Promise((resolve, reject) => {
        goOn = resolve
        sink(piece).then(resolve, reject)
        if (released) resolve()
      }),
    release() {
      released = true
      goOn()
    },
  }
}

/** Reads all of a program's pipe into its sinks. Resolves at its end, also when it was cut off. */
async function drain(pipe: Readable, sinks: readonly Sink[]): Promise<void> {
  try {
    for await (const piece of pipe) await Promise.all(sinks.map((sink) => sink(piece)))
  } catch {} // it was destroyed: who still holds the other end is not waited for
}
