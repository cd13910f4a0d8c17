// Whose fault is it? The image's: NOT_AN_IMAGE, it will never work. The machine's: try again later.
import { DuramenError } from '../../ports/errors.ts'

export function notAnImage(name: string, reason: string, cause?: unknown): DuramenError {
  return new DuramenError('NOT_AN_IMAGE', `${name}: ${reason}`, {
    cause,
    where: { file: name },
    hint: 'Open the file in a viewer; if it is fine there, save it again as JPEG or PNG.',
  })
}

/** What went wrong while `name` was decoded and written anew. libvips tells by its text only. */
export function decodeFailure(name: string, format: string, maxPixels: number, cause: unknown): DuramenError {
  const text = (cause as Error).message
  if (/system error: (?!Unknown)|out of memory|Input file is missing/.test(text)) return ioFailure(name, cause)
  if (/exceeds pixel limit/.test(text)) {
    return notAnImage(name, `over the limit of ${maxPixels} pixels (option maxPixels)`, cause)
  }
  const kind = format.toUpperCase()
  if (/premature end|unexpected end/i.test(text)) return notAnImage(name, `truncated ${kind}`, cause)
  const reason = text.split('\n').find((line) => !/: bad seek to/.test(line))
  return notAnImage(name, `damaged or truncated ${kind}: ${reason}`, cause)
}

/** A failure that is no fault of the image. */
export function ioFailure(name: string, cause: unknown): DuramenError {
  const text = (cause as Error).message
  const where = { file: name }
  if (/no space left|quota exceeded|ENOSPC|EDQUOT/i.test(text)) {
    const hint = 'Free some space; the image waits where it is.'
    return new DuramenError('NO_SPACE', `${name}: no space left for its outputs`, {
      cause,
      where,
      hint,
      retryable: true,
    })
  }
  return new DuramenError('IO', `${name}: processing failed: ${text.split('\n').slice(0, 2).join(', ')}`, {
    cause,
    where,
    retryable: true,
    hint: 'The image waits where it is; see the cause, then try again.',
  })
}
