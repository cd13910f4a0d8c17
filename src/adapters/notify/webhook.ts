// Telling by an HTTP request. Its url is a secret (address.ts); no redirect is followed, for it would carry what is told, and
// the headers, to somebody else.
import { setTimeout as wait } from 'node:timers/promises'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Notice, Notifier } from '../../ports/notifier.ts'
import { printable } from '../../ports/printable.ts'
import { partOf } from '../../ports/thrown.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { webhookAddress } from './address.ts'
import { notTaken, taken } from './taken.ts'

/** Options of `webhook`. */
export interface WebhookOptions {
  /** Where to. https; http only on this machine. It is a secret, and shown nowhere. */
  readonly url: string | URL
  /** How long one notice may take, all attempts included. Default 10 s. */
  readonly timeout?: Duration
  /** `slack`: `{ text }`, as Slack, Mattermost, Rocket.Chat take it. `json`: `{ level, title, text, at }`. Default `slack`. */
  readonly format?: 'slack' | 'json'
  /** Headers beside content-type; those with secrets are shown nowhere. Default none. */
  readonly headers?: Readonly<Record<string, string>>
  /** How often it is tried again after an answer of 408, 429 or 5xx, or none; Retry-After is kept to. Default 2. */
  readonly retries?: number
}

/** The wait before the first retry, ms; each further one is twice as long. */
const BACKOFF = 500
/** Most characters of a text; Slack refuses more than 40,000. */
const LONGEST = 30_000
/** Most characters of a title. */
const TITLE = 200

/**
 * A Notifier that posts to a webhook. It takes any answer of 2xx as taken. NOTIFY_FAILED says what came instead, with
 * `retryable`; ABORTED when the signal was used. Throws BAD_OPTION.
 */
export function webhook(options: WebhookOptions): Notifier {
  const given = optionsGiven('webhook', options, 'Give { url }.')
  assertNames('webhook', given, ['url', 'timeout', 'format', 'headers', 'retries'])
  const { format = 'slack', retries = 2 } = given
  const url = webhookAddress(given.url)
  const limit = milliseconds(given.timeout ?? '10s', 'webhook timeout')
  if (format !== 'slack' && format !== 'json')
    throw badOption('webhook format', format, 'is no format', "There are 'slack' and 'json'.")
  if (!Number.isInteger(retries) || retries < 0)
    throw badOption('webhook retries', retries, 'is no count', 'Give 0 or more.')
  const headers = headersOf(given.headers)
  const name = `webhook ${url.host}`

  async function post(body: string, signal: AbortSignal): Promise<Refusal | undefined> {
    try {
      const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
      await answer.body?.cancel()
      return answer.ok ? undefined : refusal(name, answer)
    } catch (error) {
      return { error: unreachable(name, error), after: undefined }
    }
  }

  return {
    name,
    notify: (notice, signal) =>
      taken(name, limit, signal, async (signal) => {
        const until = performance.now() + limit
        const body = JSON.stringify(BODIES[format](notice))
        for (let attempt = 0; ; attempt++) {
          const refused = await post(body, signal)
          if (refused === undefined) return
          const { error, after = BACKOFF * 2 ** attempt } = refused
          // a wait that would end with the time is not begun: this error says more than that it took too long
          if (!error.retryable || attempt >= retries || performance.now() + after >= until) throw error
          await wait(after, undefined, { signal })
        }
      }),
  }
}

/** Why an attempt was in vain, and after how many ms another is welcome. */
interface Refusal {
  readonly error: DuramenError
  readonly after: number | undefined
}

const BODIES = {
  slack: ({ title, text }: Notice) => ({ text: cut(`*${escaped(heading(title))}*${text && `\n${escaped(text)}`}`) }),
  json: ({ level, title, text, at }: Notice) => ({
    level,
    title: heading(title),
    text: cut(text),
    at: new Date(at).toISOString(),
  }),
}

const heading = (title: string) => printable(title).slice(0, TITLE)
/** Nobody can mention everybody: by Slack's own three, and where others take what is for Slack by a space that is not seen. */
const escaped = (text: string) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=(?:channel|all|everyone|here)\b)/gi, '@\u200b')
/** Not within an entity. */
const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST).replace(/&\w{0,3}$/, '')}…` : text)

function headersOf(given: unknown): Headers {
  try {
    const headers = new Headers(given as Record<string, string> | undefined)
    headers.set('content-type', 'application/json')
    return headers
  } catch {
    // neither value nor cause: they hold secrets
    throw new DuramenError('BAD_OPTION', 'webhook headers: they are none that HTTP can send', {
      hint: "Give an object of strings: { authorization: 'Bearer …' }.",
    })
  }
}

function refusal(name: string, { status, headers }: Response): Refusal {
  const retryable = status === 408 || status === 429 || status >= 500
  const error = notTaken(name, `it answered ${status}`, hintFor(status), { retryable })
  return { error, after: retryAfter(headers.get('retry-after')) }
}

function hintFor(status: number): string {
  if (status >= 500 || status === 408) return 'Whoever answers there has a problem; try again later.'
  if (status === 429) return 'It was told too much; try again later.'
  if (status >= 300 && status < 400) return 'Redirects are not followed: give the url that it leads to.'
  if (status === 404 || status === 410) return 'The webhook is gone, or its url is not right: make a new one.'
  if (status === 401 || status === 403) return 'Its url or its headers lack the right secret.'
  return 'It does not take this format: see the option format.'
}

/** Seconds, or a date. */
function retryAfter(text: string | null): number | undefined {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0)
}

/**
 * What fetch throws says only that it failed; the reason is its cause. That is not handed on: of an answer that is no HTTP it
 * holds what was sent, and so may hold the url.
 */
function unreachable(name: string, thrown: unknown): DuramenError {
  const cause = partOf(thrown, 'cause') ?? thrown
  const why = partOf(cause, 'code') ?? partOf(cause, 'message') ?? 'no answer'
  return notTaken(name, `can't be reached (${why})`, 'Look at the network, the host and its certificate.', {
    retryable: true,
  })
}
