// What a log must not show (G1): values under names that say so, and what looks like a secret in a text.

/** The name of a secret holds one of these, however it is written: `dbPassword`, `X-Api-Key`, `session_token`. */
const SURE = String.raw`passw|pass[ _.-]?phrase|pwd|secret|authorization|cookie|jwt|credential|(?:api|private|access)[ _.-]?key|(?<![a-z])pass(?![\w-])`
/** Both the list for names and the one for texts. */
const WORDS = `${SURE}|token`

const SECRET = new RegExp(WORDS, 'i')
const SURELY_SECRET = new RegExp(SURE, 'i')

/** What people are known by; the name of such a value is one of these, as a whole. */
const PAYLOAD = /^(template|minutia|minutiae|imagedata|fingerprint|pixel|biometric|embedding)s?$/
/** May be a picture, or say where it is. */
const PICTURE = /^(image|thumbnail)s?$/

/** What stands in place of a secret. */
export const HIDDEN = '[redacted]'

/** Tells whether a value is a secret by its name. */
export type IsSecret = (name: string, value: unknown) => boolean

/** Strings of `more` are whole names, however they are written. */
export function secretNames(more: readonly (string | RegExp)[]): IsSecret {
  const names = new Set(more.filter((one) => typeof one === 'string').map(plainName))
  const patterns = more.filter((one) => one instanceof RegExp)
  return (name, value) => {
    const plain = plainName(name)
    return (
      (SECRET.test(name) && !(typeof value === 'number' && isCount(name))) ||
      PAYLOAD.test(plain) ||
      (PICTURE.test(plain) && !saysWhere(value)) ||
      names.has(plain) ||
      patterns.some((pattern) => name.search(pattern) >= 0) // keeps no place, as `test` does of /…/g
    )
  }
}

const plainName = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

/** `max_tokens`, `tokenCount`: of how many, where the value is a number. */
const isCount = (name: string) => /token(?!$)/i.test(name) && !SURELY_SECRET.test(name)

/** `scan-1.png`, a url or a number; neither base64 nor bytes as text. */
const saysWhere = (value: unknown) =>
  typeof value === 'number' || (typeof value === 'string' && /[.:]/.test(value) && !/\p{Cc}/u.test(value))

const QUOTE = String.raw`\\{0,8}["'\x60]`
/** In quotes, which may be escaped as those of JSON in JSON are, up to the same quote. One that nothing ends takes the rest. */
const QUOTED = String.raw`(?<quote>${QUOTE})(?:(?!(?<!\\)\k<quote>)[\s\S]){0,8192}(?:\k<quote>)?`
const SCHEME = '(?:basic|bearer|digest|negotiate|token)'

/** `name=value` and `"name": "value"`, as in query strings, environments, connection strings and JSON. */
const NAMED = new RegExp(
  String.raw`((?:${WORDS})[\w-]{0,64})((?:\\{0,8}["'])?\s{0,4}(?:=>?\s{0,4}(?=[^\s&;,])|:\s{0,4}(?=${QUOTE})))(?:${QUOTED}|[^\s&;,"'\x60]{1,8192})`,
  'gi',
)
/** A line of HTTP: `Cookie: …`, `X-Api-Key: …`, to its end; one in quotes, as curl is given it, up to the quote. */
const HEADER = String.raw`(?:authorization|cookie|(?<=-)(?:${WORDS}))[\w-]{0,64}\s{0,4}:\s{0,4}(?:${SCHEME}\s{1,4})?`
const HEADER_VALUE = String.raw`(?!(?:${SCHEME}\s{1,4})?\[redacted\]|["'\x60\\\s])`

/** What one of them looks through without finding its end is bounded, so that no text, however it was chosen, takes long. */
const PATTERNS: readonly [RegExp, string][] = [
  // user and password of a url; those of databases are often not escaped, and hold slashes
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/?#@:"'<>]{1,256}:)?[^\s/?#"'<>]{0,256}@/gi, '$1$2***@'],
  [
    /\b((?:mongodb|postgres|mysql|mariadb|redis|amqp|mssql)[a-z+]{0,6}:\/\/[^\s/?#@:"'<>]{0,256}:)[^\s"'<>]{1,256}@/gi,
    '$1***@',
  ],
  [/\b(bearer)\s{1,8}[\w.~+/=-]{1,8192}/gi, `$1 ${HIDDEN}`],
  [/\b(basic)\s{1,8}(?=\S{0,1024}[\d+/=])[\w+/=-]{8,8192}/gi, `$1 ${HIDDEN}`],
  [/-----BEGIN ([A-Z ]{0,40})PRIVATE KEY-----[\s\S]{0,16384}?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, HIDDEN],
  [/\beyJ[\w-]{8,4096}\.[\w-]{2,8192}\.[\w-]{0,4096}/g, HIDDEN], // a JSON web token
  [new RegExp(String.raw`((["'])[\w-]{0,64}${HEADER})${HEADER_VALUE}(?:(?!\2)[^\r\n]){1,8192}`, 'gi'), `$1${HIDDEN}`],
  [new RegExp(String.raw`(?<!["'][\w-]{0,64})(${HEADER})${HEADER_VALUE}[^\r\n]{1,8192}`, 'gi'), `$1${HIDDEN}`],
  // webhooks: Slack, Discord, Teams, Mattermost and others by their path; bots of Telegram
  [/(hooks\.slack\.com\/)[\w/-]{1,512}/gi, '$1***'],
  [/(:\/\/[^\s"'<>/]{1,256}(?:\/[\w.-]{1,64}){0,4}?\/(?:web)?hooks?(?:b2)?\/)[^\s"'<>?#]{1,2048}/gi, '$1***'],
  [/(\/bot)\d{1,20}:[\w-]{1,128}/gi, '$1***'],
]

/** Pictures and the like, in whatever length. */
const DATA_URL = /\bdata:[\w.+-]{1,64}\/[\w.+-]{1,64}(?:;[\w.=+-]{0,64}){0,4},[\w+/=%-]+/gi

/** The text with its data URLs told in a word. */
export const withoutDataUrls = (text: string): string => text.replace(DATA_URL, '[data url]')

/** The text without what looks like a secret in it. */
export const withoutSecrets = (text: string): string =>
  PATTERNS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), text).replace(
    NAMED,
    (all: string, name: string, before: string) =>
      isCount(name) && /^\d{1,12}$/.test(all.slice(name.length + before.length)) ? all : `${name}${before}${HIDDEN}`,
  )
