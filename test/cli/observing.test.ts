import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'

/** Runs the built package in a process of its own. */
async function run(...args: string[]) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { out, err, code: child.exitCode }
}

it('examples/observing.mjs does what docs/OBSERVING.md says', async () => {
  const { out, err, code } = await run('examples/observing.mjs')
  expect({ err, code }).toEqual({ err: '', code: 0 })
  expect(out).toMatch(/^200 ok$/m)
  expect(out).toContain(
    [
      'PUT /orders/17/payment',
      '  duramen.create',
      '  duramen.send PAY',
      '    duramen.effect charge',
      '      POST /charges',
    ].join('\n'),
  )
  expect(out).toMatch(/^duramen\.send\.duration 1$/m)
  expect(out).toMatch(/^duramen\.events 1$/m)
})

/** A host that has traced nothing says so. */
const untraced = `
  const { openHost } = await import('duramen')
  const { memoryJournal } = await import('duramen/journal')
  const host = await openHost({ journal: memoryJournal() })
  const installed = await import('@opentelemetry/api').then(() => true, (error) => error.code)
  console.log(installed, host.telemetry, host.health().status)
  await host.close()
`
/** In this process a package is not installed. */
const without = (name: string) => `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    export const resolve = (specifier, context, next) =>
      next(specifier === '${name}' ? '${name}-that-is-not-there' : specifier, context)
  \`))
`

it('a host opens where OpenTelemetry is not installed, and where nothing is registered with it, and traces nothing', async () => {
  const args = ['--input-type=module', '--eval', untraced]
  const hidden = `data:text/javascript,${encodeURIComponent(without('@opentelemetry/api'))}`
  expect(await run(...args)).toEqual({ out: 'true undefined ok\n', err: '', code: 0 })
  expect(await run('--import', hidden, ...args)).toEqual({
    out: 'ERR_MODULE_NOT_FOUND undefined ok\n',
    err: '',
    code: 0,
  })
})
