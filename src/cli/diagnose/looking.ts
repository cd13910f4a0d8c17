// The process that looks, of its own: whatever hangs in it (a disk that is away, a loop) hangs nobody else, and can be ended.
import { type Asked, checksFor } from './checks.ts'
import { lookAll } from './look.ts'

process.once('message', (asked: Asked) => {
  // its parent ends it once it has heard all it wants
  void lookAll(checksFor(asked), (index, findings) => process.send!({ index, findings }))
})
// an exit would wait for what hangs
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
