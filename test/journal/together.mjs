// What the processes of together.test.ts share with it: which text a record has. It names the run that wrote it, so that one
// which was lost and written again is told from one that was kept.
function hashOf(text) {
  let hash = 2166136261
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619)
  return hash >>> 0
}

export function textOf(stream, seq, run) {
  const hash = hashOf(`${stream} ${seq} ${run}`)
  const header = { stream, seq, run, ...(hash % 7 === 0 && { unfinished: 1 }), ...(hash % 11 === 0 && { op: 'trim' }) }
  const outcome = hash % 3 === 0 ? { due: hash % 1000 } : {}
  const length = hash % 61 === 0 ? 20_000 : hash % 13 === 0 ? 3000 : hash % 300
  return `${JSON.stringify(header)}\n${JSON.stringify(outcome)}\nj${'x'.repeat(length)}`
}

export const runOf = (text) => JSON.parse(text.slice(0, text.indexOf('\n'))).run

/** Numbers from 0 up to 1, the same for the same seed. */
export function randomOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
