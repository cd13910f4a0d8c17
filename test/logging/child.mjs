// A process that logs and then ends in the way that it is told: `node child.mjs FILE HOW [lines] [size]`.
import { createLogger } from '../../dist/adapters/logging/index.js'

const [file, how, lines = '100', size = '10MB'] = process.argv.slice(2)
const logger = createLogger({ name: 'child', console: false, file, rotate: { size, keep: 1_000 } })
const say = () => {
  for (let n = 0; n < Number(lines); n++) logger.info(`line ${n} of ${process.pid}`)
}
switch (how) {
  case 'exit':
    say()
    process.exit(0)
    break
  case 'throw':
    process.once('uncaughtExceptionMonitor', (error) => logger.error('it ends', error))
    setTimeout(() => {
      say()
      throw new Error('nobody catches this')
    })
    break
  case 'kill':
    say()
    process.kill(process.pid, 'SIGKILL')
    break
  case 'close':
    say()
    logger.close()
    logger.close()
    logger.warn('after close')
}
