// One contender in a process of its own: node worker.mjs CONTENDER MODE [DIR] [MS]; the modes are
//   describe  prints { title, instances }
//   rates  prints { sequence, together }, events a second: one after the other, and with 256 in flight
//   prove  sends until it is killed; prints the number of an instance for each event of it that was acknowledged
//   kept   opens what is there and prints how many events of each instance have been kept, from the first without a gap
import { writeSync } from 'node:fs'
import { FLYING } from '../order.mjs'

const [name, mode, dir, ms] = process.argv.slice(2)
// stdout is for what is measured
console.log = console.info = console.error
const { default: contender } = await import(`./contenders/${name}.mjs`)

/** Each caller has instances of its own and waits for each answer, so that of no instance two events are on their way. */
async function callers(count, send, goOn) {
  let done = 0
  const caller = async (_, first) => {
    for (let turn = 0; goOn(); turn++) {
      for (let n = first; n < contender.instances && goOn(); n += count) {
        await send(n, turn)
        done++
      }
    }
  }
  await Promise.all(Array.from({ length: count }, caller))
  return done
}

/** Events a second over that time, after a third of it to warm up. */
async function rate(count, send) {
  const run = async (duration) => {
    const begun = performance.now()
    const done = await callers(count, send, () => performance.now() - begun < duration)
    return (done / (performance.now() - begun)) * 1000
  }
  await run(ms / 3)
  return run(Number(ms))
}

if (mode === 'describe') {
  const { title, instances } = contender
  writeSync(1, JSON.stringify({ title, instances }))
} else if (mode === 'kept') {
  writeSync(1, JSON.stringify(await contender.kept(dir)))
} else {
  const { send, close } = await contender.open(dir)
  if (mode === 'rates') {
    const sequence = await rate(1, send)
    const together = await rate(FLYING, send)
    writeSync(1, JSON.stringify({ sequence, together }))
    await close()
  } else {
    await callers(
      FLYING,
      async (n, turn) => {
        await send(n, turn)
        writeSync(1, `${n}\n`)
      },
      () => true,
    )
  }
}
process.exit()
