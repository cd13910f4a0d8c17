// duramen/notify: telling people, by a webhook or by mail.
export { type EmailOptions, email, type MailMessage, type MailTransport } from './email.ts'
export { type WebhookOptions, webhook } from './webhook.ts'
