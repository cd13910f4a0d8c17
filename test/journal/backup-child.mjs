// A process that makes a backup and is killed before it changes something on disk for the nth time. Arguments: the compiled
// journal, the journal's folder, the backup's, n. Prints how many changes there were when it was not killed.
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [module, from, to, nth] = process.argv.slice(2)
let changes = 0
for (const name of ['open', 'rename', 'rm', 'link', 'unlink']) {
  const real = fs[name]
  fs[name] = (...args) => {
    if (name === 'open' && !String(args[1]).startsWith('w')) return real(...args)
    if (++changes === Number(nth)) process.kill(process.pid, 'SIGKILL')
    return real(...args)
  }
}
syncBuiltinESMExports()
const { backupJournal } = await import(module)
await backupJournal(from, to)
console.log(changes)
