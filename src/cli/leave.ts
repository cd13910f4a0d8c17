// How a command ends that nothing may hold up, or systemd would wait for it: no reader of its output that takes nothing any
// more, and nothing that it has begun.
import { setTimeout as sleep } from 'node:timers/promises'

/** ms for what was written to be taken. */
const LIMIT = 1_000

/** Ends this process. */
export async function leave(code: number): Promise<void> {
  const taken = [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve)))
  await Promise.race([Promise.all(taken), sleep(LIMIT)])
  process.exit(code)
}
