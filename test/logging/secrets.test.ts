// G1: secrets and payloads are not in the log, whatever they hide in.
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { secretNames, withoutDataUrls, withoutSecrets } from '../../src/adapters/logging/secrets.ts'
import { fileLogger } from './logs.ts'

const HIDDEN_NAMES =
  'password passwd db_password userPassword PWD passphrase secret client-secret token accessToken X-Auth-Token authorization Proxy-Authorization cookie Set-Cookie apiKey api_key X-API-Key private_key privateKey aws_secret_access_key credentials template templates minutiae image imageData fingerprint thumbnail pass smtp_pass jwt accessKey'.split(
    ' ',
  )
const SHOWN_NAMES =
  'user name id path image_path images_sources operation_count key code templateId reader compass bypass pass_rate'.split(
    ' ',
  )

it.each(HIDDEN_NAMES)('G1: %s is hidden by its name', (name) => {
  expect(secretNames([])(name, 'x')).toBe(true)
})

it.each(SHOWN_NAMES)('%s is shown', (name) => {
  expect(secretNames([])(name, 'x')).toBe(false)
})

it('a number of tokens is shown, and where a picture is; a token that is a number is not, nor the picture', () => {
  const isSecret = secretNames([])
  for (const name of ['tokens', 'max_tokens', 'tokenCount']) {
    expect(isSecret(name, 120)).toBe(false)
    expect(isSecret(name, '120')).toBe(true)
  }
  for (const name of ['token', 'access_token', 'secret_tokens']) expect(isSecret(name, 123_456)).toBe(true)
  for (const value of ['scan-1.png', 'https://example.org/1', 3]) expect(isSecret('image', value)).toBe(false)
  for (const value of ['iVBORw0KGgo', '\u0089PNG.\r\n', [1, 2], { data: 'x' }])
    expect(isSecret('image', value)).toBe(true)
})

it('G1: names of your own: whole ones however they are written, and patterns', () => {
  const isSecret = secretNames(['pin', 'card number', /^iban/g])
  for (const name of ['pin', 'PIN', 'cardNumber', 'CARD_NUMBER', 'iban', 'iban2', 'iban3'])
    expect(isSecret(name, 'x')).toBe(true)
  for (const name of ['spin', 'card', 'my-iban']) expect(isSecret(name, 'x')).toBe(false)
})

it.each([
  ['mongodb://reader:s3cr3t@db:27017/x', 'mongodb://reader:***@db:27017/x'],
  ['mongodb+srv://reader:s3/cr@3t@db/x?a=b', 'mongodb+srv://reader:***@db/x?a=b'],
  ['postgres://s3cr3t@db/x', 'postgres://***@db/x'],
  ['redis://:s3cr3t@db:6379', 'redis://***@db:6379'],
  ['https://ann:s3cr3t@example.org/a@b.html', 'https://ann:***@example.org/a@b.html'],
  ['https://ghp_s3cr3t@github.com/x', 'https://***@github.com/x'],
  ['Authorization: Bearer s3cr3t.abc-def_ghi=', 'Authorization: Bearer [redacted]'],
  ['authorization: basic czNjcjN0Og==', 'authorization: basic [redacted]'],
  ['GET /x?token=s3cr3t&page=2', 'GET /x?token=[redacted]&page=2'],
  ['user=ann password=s3cr3t host=db', 'user=ann password=[redacted] host=db'],
  ['{"password":"s3 cr3t","user":"ann"}', '{"password":[redacted],"user":"ann"}'],
  ["db_password = 's3 cr3t'; x", 'db_password = [redacted]; x'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzM2NyM3QiOjF9.s3cr3t-x is it', '[redacted] is it'],
  ['https://hooks.slack.com/services/T0/B0/s3cr3t failed', 'https://hooks.slack.com/*** failed'],
  ['{\\"password\\":\\"s3\\\\\\"cr3t\\",\\"user\\":\\"ann\\"}', '{\\"password\\":[redacted],\\"user\\":\\"ann\\"}'],
  ['{"password":"a\\"s3cr3t","user":"ann"}', '{"password":[redacted],"user":"ann"}'],
  ['{"password":"s3cr3t and cut', '{"password":[redacted]'],
  ['AWS_SECRET_ACCESS_KEY=s3/cr3t x', 'AWS_SECRET_ACCESS_KEY=[redacted] x'],
  ['secret_key=s3cr3t&a=1', 'secret_key=[redacted]&a=1'],
  ['private_key=s3cr3t', 'private_key=[redacted]'],
  ['passphrase=s3cr3t', 'passphrase=[redacted]'],
  ['accessKey=s3cr3t', 'accessKey=[redacted]'],
  ['credential=s3cr3t', 'credential=[redacted]'],
  ['jwt=s3cr3t', 'jwt=[redacted]'],
  ["{ authorization: 's3cr3t' }", '{ authorization: [redacted] }'],
  ["{ auth: { user: 'ann', pass: `s3cr3t` } }", "{ auth: { user: 'ann', pass: [redacted] } }"],
  ['{"cookie":"sid=s3cr3t"}', '{"cookie":[redacted]}'],
  ['Host: x\r\nCookie: sid=s3cr3t; b=s3cr3t\r\nAccept: y', 'Host: x\r\nCookie: [redacted]\r\nAccept: y'],
  ['Set-Cookie: sid="s3cr3t"; Path=/', 'Set-Cookie: [redacted]'],
  ['X-Api-Key: s3cr3t', 'X-Api-Key: [redacted]'],
  ['Authorization: Token s3cr3t', 'Authorization: Token [redacted]'],
  ['Authorization: s3cr3t', 'Authorization: [redacted]'],
  ['Proxy-Authorization: Digest username="x", response="s3cr3t"', 'Proxy-Authorization: Digest [redacted]'],
  [`curl -H "Authorization: Token s3cr3t" http://x`, `curl -H "Authorization: Token [redacted]" http://x`],
  ['https://discord.com/api/webhooks/123/s3cr3t x', 'https://discord.com/api/webhooks/*** x'],
  ['https://mattermost.example.org/hooks/s3cr3t x', 'https://mattermost.example.org/hooks/*** x'],
  ['https://api.telegram.org/bot123:s3cr3t/sendMessage', 'https://api.telegram.org/bot***/sendMessage'],
  ['-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END RSA PRIVATE KEY----- end', '[redacted] end'],
])('G1: %s', (text, shown) => {
  expect(withoutSecrets(text)).toBe(shown)
})

it.each([
  'http://127.0.0.1:8000/health',
  'https://example.org:8443/users/ann@example.org?x=1',
  'file:///srv/node_modules/@scope/pkg/index.js:1:2',
  'at /srv/node_modules/@scope/pkg/index.js:10:5',
  'mail to ann@example.org',
  'basic information',
  'the token was refused: it is too old',
  'max_tokens=120 "tokens": 5',
  'at /srv/src/hooks/use-state.js:1:2',
  'compass="north" bypass=1',
  'image_path=/srv/source/scan-1.png size=10',
])('is shown as it is: %s', (text) => {
  expect(withoutSecrets(text)).toBe(text)
})

it('G1: a secret is in no line, however deep it lies, in whatever it lies', async () => {
  const SECRET = 'Zk7secretZk7'
  for (const format of ['line', 'json'] as const) {
    const { logger, text } = await fileLogger({ format, level: 'debug' })
    const name = fc.constantFrom(...HIDDEN_NAMES)
    const leaf = fc.constantFrom<unknown>(
      SECRET,
      [SECRET],
      { deep: { er: SECRET } },
      new Set([SECRET]),
      Buffer.from(SECRET),
    )
    const wraps = fc.array(
      fc.constantFrom<(value: unknown) => unknown>(
        (value) => ({ a: 1, value }),
        (value) => [0, value],
        (value) => new Map([['m', value]]),
        (value) => Object.assign(new Error('e'), { request: value }),
        (value) => new Error('e', { cause: value }),
        (value) => ({ toJSON: () => value }),
      ),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(name, leaf, wraps, (name, leaf, wraps) => {
        logger.info('x', wraps.reduce<unknown>((value, wrap) => wrap(value), { [name]: leaf }) as object)
        logger.info('x', new Map([[name, leaf]]))
      }),
      { numRuns: 300 },
    )
    expect(await text()).not.toContain(SECRET)
    expect(await text()).toContain('[redacted]')
  }
})

it('G1: a secret that a cut goes through is not half there', async () => {
  const { logger, text } = await fileLogger()
  for (let n = 65_496; n < 65_546; n++)
    logger.info(`${' '.repeat(n)}mongodb://ann:Zk7secretZk7@db ${'.'.repeat(20_000)}`)
  // what is hidden is long, so that the end of what is looked at comes close: the cut goes through each place of the password
  const url = ' mongodb://ann:Zk7secretZk7@db '
  for (let n = 0; n < 40; n++)
    logger.info(`${`bearer ${'A'.repeat(8_000)} `.repeat(10).slice(0, 73_690 + n)}${url}${'.'.repeat(1_000)}`)
  expect((await text()).includes('Zk7')).toBe(false) // nobody reads what it is, being 3 MB
})

it('G1: errors hide what their messages, stacks and properties hold', async () => {
  const { logger, text } = await fileLogger()
  const error = Object.assign(new Error('connect mongodb://ann:Zk7secret@db failed'), {
    options: { auth: { password: 'Zk7' } },
  })
  logger.error('no database', new Error('outer', { cause: error }))
  expect(await text()).not.toContain('Zk7')
  expect(await text()).toContain('mongodb://ann:***@db')
})

it('G1: a hostile text is looked through, however it was chosen', () => {
  const n = 70_000
  const texts = [
    'a://',
    'a.',
    'password',
    'password=',
    'mongodb://a:',
    'bearer ',
    'basic ',
    'eyJ',
    'eyJaaaaaaaa.',
    'data:a/',
    '"',
    '-----BEGIN PRIVATE KEY-----',
    ' ',
    '@',
    'token: ',
    'password="',
    'password=\\"',
    'token\\\\\\',
    'cookie: ',
    'cookie: "',
    '-token',
    '"a-token:',
    '://hook/',
    '://a/b/c/d/e',
    '/bot1:',
    'data:a/a;',
  ]
  const all = () => texts.map((text) => withoutSecrets(withoutDataUrls(text.repeat(n / text.length))).length)
  // what looks through a text again from each of its characters is minutes off
  expect(runInNewContext('all()', { all }, { timeout: 20_000 })).toHaveLength(texts.length)
}, 30_000)
