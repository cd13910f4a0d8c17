// Calls between a process and its child, over the channel that node gives them.

/** `ask(name, given)` of a child that is answering; rejects when it ends before. */
export function asking(child) {
  const waiting = new Map()
  let last = 0
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error) reject(Object.assign(new Error(error.message), error))
    else resolve(result)
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the child has ended: ${signal ?? code}`))
    waiting.clear()
  })
  return (name, given) =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      child.send({ id, name, given })
    })
}

/** In the child: what answers, until its parent has gone. */
export function answering(call) {
  process.on('message', async ({ id, name, given }) => {
    try {
      process.send({ id, result: (await call(name, given)) ?? null })
    } catch (error) {
      const { code, message, hint, where } = error
      process.send({ id, error: { code, message, hint, where } })
    }
  })
  process.on('disconnect', () => process.exit())
}
