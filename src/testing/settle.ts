/**
 * Lets everything run that waits for nothing but its turn: appends to a memory journal, effects that are due, promises
 * that settle by themselves. `turns`: how often around the event loop; default 6, which is enough for one event and what
 * follows from it. What waits for a timer or for real I/O is not waited for.
 */
export async function settle(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
