import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A folder for bench files on the same disk as the project. */
export function scratch() {
  const dir = fileURLToPath(new URL('../.bench/', import.meta.url))
  mkdirSync(dir, { recursive: true })
  return dir
}

/** Does the work in a folder of its own there, which is removed afterwards. */
export async function inFolder(work) {
  const dir = mkdtempSync(join(scratch(), 'run-'))
  try {
    return await work(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

/** Runs two measurements in turns; the median of the ratios pair by pair, and of each figure. The first pair warms up. */
export async function best(rounds, a, b) {
  await a()
  await b()
  const pairs = []
  for (let i = 0; i < rounds; i++) pairs.push([await a(), await b()])
  return {
    ratio: median(pairs.map(([x, y]) => x / y)),
    rates: [Math.round(median(pairs.map(([x]) => x))), Math.round(median(pairs.map(([, y]) => y)))],
  }
}
