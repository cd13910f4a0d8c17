// What a supervisor itself has to say, in lines with their time: on stderr, where it does not mix with what the program prints.
import type { Logger } from '../../ports/logger.ts'

export function supervisorLog(name: string): Logger {
  const say = (level: string) => (message: string) => {
    const at = new Date().toISOString().slice(0, 19).replace('T', ' ')
    process.stderr.write(`${at} - ${name} - ${level} - ${message}\n`)
  }
  return { debug: () => {}, info: say('INFO'), warn: say('WARNING'), error: say('ERROR') }
}
