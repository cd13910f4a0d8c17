// What the host's logger is told of a pipeline: how each image has ended, and what keeps it waiting, once for each wait.
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import type { CoordinatorMessage, ImageMessage } from './types.ts'

const LEVELS = {
  claimed: 'debug',
  prepared: 'debug',
  processed: 'debug',
  recognised: 'debug',
  uploaded: 'debug',
  processing_failed: 'warn',
  upload_failed: 'warn',
  move_failed: 'warn',
  blocked: 'warn',
  unblocked: 'info',
  rejected: 'debug', // its end says it once more
  quarantined: 'warn',
  gone: 'warn',
  archived: 'info',
  duplicate: 'info',
  forced: 'info',
} as const satisfies Record<PipelineMessage['type'], keyof Logger>

type PipelineMessage = (ImageMessage & { readonly id: string }) | CoordinatorMessage

/** Logs what a pipeline says. What goes wrong in the same way again, before anything has gone well, goes to debug. */
export function logLines(pipeline: string, logger: Logger): (message: PipelineMessage) => void {
  /** What was told last, by image; the line's own beside them. */
  const troubles = new Map<string, string>()
  return (message) => {
    const { type } = message
    const whose = 'id' in message ? message.id : ''
    const trouble = troubleOf(message)
    const again = trouble !== undefined && troubles.get(whose) === trouble
    if (trouble !== undefined && !ENDS.has(type)) troubles.set(whose, trouble)
    else troubles.delete(whose)
    if (type === 'claimed') troubles.delete('')
    const level = trouble === undefined ? LEVELS[type] : again ? 'debug' : 'warn'
    logger[level](printable(`${pipeline}: ${message.message}`)) // whoever may put a file into source/ gives its name
  }
}

/** What goes wrong. An image that is prepared again says how it failed once more; after a restart it is the only one to. */
function troubleOf(message: PipelineMessage): string | undefined {
  const problem = 'problem' in message ? message.problem : null
  const type = message.type === 'prepared' ? 'processing_failed' : message.type
  return problem && LEVELS[type] === 'warn' ? `${type} ${problem.code}` : undefined
}

const ENDS: ReadonlySet<PipelineMessage['type']> = new Set(['quarantined', 'gone'])
