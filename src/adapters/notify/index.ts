// duramen/notify: telling people, by a webhook or by mail.
export type { Notice, Notifier } from '../../ports/notifier.ts'
export { type EmailOptions, email, type MailMessage, type MailTransport } from './email.ts'
export { type WebhookOptions, webhook } from './webhook.ts'
