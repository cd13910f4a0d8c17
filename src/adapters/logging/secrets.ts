// What a log must not show (G1): values under names that say so, and what looks like a secret in a text.

/** The name of a secret holds one of these, however it is written: `dbPassword`, `X-Api-Key`, `session_token`. */
const SECRET = /passw|passphrase|pwd|secret|token|authorization|cookie|apikey|privatekey|accesskey|credential/

/** What people are known by; the name of such a value is one of these, as a whole. */
const PAYLOAD = /^(template|minutia|minutiae|image|imagedata|fingerprint|thumbnail|pixel|biometric|embedding)s?$/

/** What stands in place of a secret. */
export const HIDDEN = '[redacted]'

/** Tells whether a value is a secret by its name. Strings of `more` are whole names, however they are written. */
export function secretNames(more: readonly (string | RegExp)[]): (name: string) => boolean {
  const names = new Set(more.filter((one) => typeof one === 'string').map(plainName))
  const patterns = more.filter((one) => one instanceof RegExp)
  return (name) => {
    const plain = plainName(name)
    return (
      SECRET.test(plain) ||
      PAYLOAD.test(plain) ||
      names.has(plain) ||
      patterns.some((pattern) => name.search(pattern) >= 0) // keeps no place, as `test` does of /…/g
    )
  }
}

const plainName = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

/** Every run is bounded, so that no text, however it was chosen, takes long. */
const PATTERNS: readonly [RegExp, string][] = [
  // user and password of a url; those of databases are often not escaped, and hold slashes
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/?#@:"'<>]{1,256}:)?[^\s/?#"'<>]{0,256}@/gi, '$1$2***@'],
  [
    /\b((?:mongodb|postgres|mysql|mariadb|redis|amqp|mssql)[a-z+]{0,6}:\/\/[^\s/?#@:"'<>]{0,256}:)[^\s"'<>]{1,256}@/gi,
    '$1***@',
  ],
  [/\b(bearer)\s{1,8}[\w.~+/=-]{1,8192}/gi, `$1 ${HIDDEN}`],
  [/\b(basic)\s{1,8}(?=\S{0,1024}[\d+/=])[\w+/=-]{8,8192}/gi, `$1 ${HIDDEN}`],
  // name=value, "name": "value", as in query strings, connection strings and JSON
  [
    /(\b\w{0,64}(?:passw(?:or)?d|pwd|secret|token|api[_-]?key)["']?\s{0,4}(?:=|:\s{0,4}(?=["']))\s{0,4})("[^"]{0,4096}"|'[^']{0,4096}'|[^\s&;,"']{1,4096})/gi,
    `$1${HIDDEN}`,
  ],
  [/-----BEGIN ([A-Z ]{0,40})PRIVATE KEY-----[\s\S]{0,16384}?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, HIDDEN],
  [/\beyJ[\w-]{8,4096}\.[\w-]{2,8192}\.[\w-]{0,4096}/g, HIDDEN], // a JSON web token
  [/(hooks\.slack\.com\/)[\w/-]{1,512}/gi, '$1***'],
  [/\bdata:[\w.+-]{1,64}\/[\w.+-]{1,64}[\w;=+-]{0,128},[\w+/=%-]+/gi, '[data url]'],
]

/** The text without what looks like a secret in it. */
export const withoutSecrets = (text: string): string =>
  PATTERNS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), text)
