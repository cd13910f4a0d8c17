// The virtual reader in a process of its own, told what to do by messages.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { answering, asking } from './asking.mjs'
import { VirtualReader } from './virtual-reader.mjs'

const file = fileURLToPath(import.meta.url)

/** `fresh`, `attach`, `detach`, `cycle(ms)`, `set(faults)`, `state`, and `stop`. */
export function forkReader(options = {}) {
  const child = fork(file, [JSON.stringify(options)])
  const ask = asking(child)
  const call = (name) => (given) => ask(name, given)
  return {
    fresh: call('fresh'),
    attach: call('attach'),
    detach: call('detach'),
    cycle: call('cycle'),
    set: call('set'),
    state: call('state'),
    async stop() {
      await ask('detach')
      child.kill()
    },
  }
}

if (process.argv[1] === file) {
  const reader = new VirtualReader(JSON.parse(process.argv[2]))
  answering((name, given) => reader[name](given))
}
