// What is told of an error of the driver or of a server, where the tests' own server can't be brought to have it.
import { expect, test } from 'vitest'
import { isDuplicate, isOverloaded, isUnknown, mongoError, refusesMajority } from '../../src/adapters/mongodb/errors.ts'

const error = (name: string, more: object = {}, message = 'the message') =>
  Object.assign(new Error(message), { name, ...more })
const server = (code: number, message?: string) => error('MongoServerError', { code }, message)

test.each([
  ['no server found', error('MongoServerSelectionError'), 'NOT_CONNECTED', true],
  ['a full pool', error('MongoWaitQueueTimeoutError'), 'NOT_CONNECTED', true],
  ['a primary that stepped down', server(189), 'NOT_CONNECTED', true],
  ['what Cosmos DB says under load', server(16500), 'NOT_CONNECTED', true],
  ['what a server of MongoDB says under load', server(462), 'NOT_CONNECTED', true],
  ['a shard that did not answer', server(202), 'NOT_CONNECTED', true],
  ['a name that nobody knows', error('Error', { code: 'ENOTFOUND', syscall: 'querySrv' }), 'NOT_CONNECTED', true],
  ['no server for names', error('Error', { code: 'ETIMEOUT', syscall: 'queryTxt' }), 'NOT_CONNECTED', true],
  [
    'a label alone',
    error('MongoServerError', { code: 4711, errorLabels: ['RetryableWriteError'] }),
    'NOT_CONNECTED',
    true,
  ],
  ['no majority in time', error('MongoWriteConcernError', { code: 64 }), 'OUTCOME_UNKNOWN', true],
  ['no majority for many', error('MongoBulkWriteError', { code: 64, writeErrors: [] }), 'OUTCOME_UNKNOWN', true],
  ['a disk of MongoDB’s own', server(14031), 'NO_SPACE', true],
  ['a quota of Atlas', server(8000, 'you are over your space quota, using 512 MB of 512 MB'), 'NO_SPACE', true],
  ['a wrong password of Atlas', server(8000, 'bad auth : Authentication failed.'), 'NO_PERMISSION', false],
  ['no rights', server(13), 'NO_PERMISSION', false],
  ['a document that is too large', server(10334), 'BAD_INPUT', false],
  ['one that the driver can’t send', error('BSONError'), 'BAD_INPUT', false],
  ['a client that was closed', error('MongoNotConnectedError'), 'CLOSED', false],
  ['anything else', server(4711), 'IO', true],
])('%s', (_, cause, code, retryable) => {
  const told = mongoError(cause, 'put it')
  expect(told).toMatchObject({ code, retryable, hint: expect.stringMatching(/\.$/) })
  expect(told.message).toContain(cause.message)
})

test('K12 what an error over many documents brings along stays behind', () => {
  const cause = error('MongoBulkWriteError', {
    code: 1,
    writeErrors: [{ code: 1, op: { data: 'the bytes of an image' } }],
  })
  expect(mongoError(cause, 'put it').cause).not.toHaveProperty('writeErrors')
})

test('a signal that was used says why', () => {
  expect(mongoError(error('AbortError'), 'put it', AbortSignal.abort())).toMatchObject({
    code: 'ABORTED',
    retryable: true,
  })
})

test('only what is wholly a duplicate is one; what was refused for certain is not asked again', () => {
  const some = (...codes: number[]) =>
    error('MongoBulkWriteError', { code: 11000, writeErrors: codes.map((code) => ({ code })) })
  expect([server(11000), some(11000, 11000), some(11000, 1)].map(isDuplicate)).toEqual([true, true, false])
  expect([some(11000, 16500), some(16500, 16500)].map(isUnknown)).toEqual([true, true])
  expect([some(11000, 16500), some(11000, 11000)].map(isOverloaded)).toEqual([true, false])
  expect([some(16500, 1), some(11000, 11000)].map(isUnknown)).toEqual([false, false])
  expect([server(11000), server(13), server(14031), undefined, 'text'].map(isUnknown)).toEqual(Array(5).fill(false))
})

test('who can’t read with majority is told from who can’t yet, by codes: a text may quote the command', () => {
  const quoted =
    'not authorized on archive to execute command { find: "images.units", filter: { _id: "" }, limit: 1, ' +
    'readConcern: { level: "majority" }, $db: "archive" }'
  const refusals = [server(148), server(72, 'unsupported readConcern level'), server(40415)]
  expect(refusals.map(refusesMajority)).toEqual([true, true, true])
  const others = [
    server(134, 'read concern majority not available yet'),
    ...[13, 18, 8000].map((code) => server(code, quoted)),
  ]
  expect(others.map(refusesMajority)).toEqual([false, false, false, false])
})

test('a cursor that is forgotten or killed is asked again', () => {
  expect([server(43), server(175), server(237)].map(isUnknown)).toEqual([true, true, true])
})
