// The options that say who is told.
import { Option } from 'commander'

export const WEBHOOK = new Option('--webhook <url>', 'who is told; it is a secret').env('DURAMEN_WEBHOOK')
export const EMAIL = new Option('--email <address...>', 'and by mail')
export const EMAIL_FROM = new Option('--email-from <address>', 'from whom').env('DURAMEN_EMAIL_FROM')
export const SMTP = new Option('--smtp <url>', 'by which mail server').env('DURAMEN_SMTP')

/** Who is told, as commander has read it. */
export interface People {
  readonly webhook?: string
  readonly email?: string[]
  readonly emailFrom?: string
  readonly smtp?: string
}
