// `duramen list`, and how failures are told to programs.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { duramen, folder } from './command.ts'

const order = durable(
  setup({ types: { events: {} as { type: 'PAY' } | { type: 'SHIP' } } }).createMachine({
    id: 'order',
    initial: 'open',
    states: { open: { on: { PAY: 'paid' } }, paid: { on: { SHIP: 'shipped' } }, shipped: { type: 'final' } },
  }),
)
const reader = durable(
  setup({}).createMachine({
    id: 'reader',
    initial: 'idle',
    states: { idle: { initial: 'cold', states: { cold: {}, warm: {} } } },
  }),
)

async function shop() {
  const data = join(await folder(), 'data')
  const host = await openHost({ journal: await fileJournal(data), machines: [order, reader] })
  for (const id of ['o-1', 'o-2', 'o-3']) await host.actor(order, id)
  await host.actor(reader, 'r\u202e')
  await host.send(order, 'o-1', { type: 'PAY' })
  await host.send(order, 'o-2', { type: 'PAY' })
  await host.send(order, 'o-2', { type: 'SHIP' })
  await host.park(order, 'o-3', { who: 'ann', why: 'no such address' })
  return { data, host }
}

describe('list', () => {
  it('tells of all instances beside the host that runs, and drives no terminal', async () => {
    const { data, host } = await shop()
    const { code, stdout, stderr } = await duramen('list', data)
    await host.close()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^MACHINE +ID +STATUS +STATE +SEQ +SINCE +PROBLEM$/)
    expect(
      lines
        .slice(1, -1)
        .map((line) => line.split(/ {2,}/).slice(0, 4))
        .sort(),
    ).toEqual([
      ['order', 'o-1', 'active', 'paid'],
      ['order', 'o-2', 'done', 'shipped'],
      ['order', 'o-3', 'parked', 'open'],
      ['reader', 'r\\u202e', 'active', 'idle.cold'],
    ])
    expect(stdout).toMatch(/o-3 .*no such address\n/)
    expect(lines.at(-1)).toBe('4 instances.')
  })

  it.each([
    [
      ['--machine', 'order'],
      ['o-1', 'o-2', 'o-3'],
    ],
    [['--status', 'parked'], ['o-3']],
    [['--state', 'idle.cold'], ['r\u202e']],
    [['--machine', 'reader', '--state', 'paid'], []],
  ])('%j', async (args, ids) => {
    const { data, host } = await shop()
    await host.close()
    const { code, stdout } = await duramen('list', data, '--json', ...args)
    expect(code).toBe(0)
    const listed = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    expect(listed.map(({ id }) => id).sort()).toEqual(ids)
    for (const { status, problem } of listed) if (status === 'parked') expect(problem.code).toBe('PARKED')
  })

  it('of the folder of a supervisor names the one of its journal', async () => {
    const state = await folder()
    const host = await openHost({ journal: await fileJournal(join(state, 'journal')) })
    await host.close()
    const { code, stderr } = await duramen('list', state)
    expect(code).toBe(1)
    expect(stderr).toContain(`list that one`)
    expect(stderr).toContain(join(state, 'journal'))
  })

  it('tells all branches of a parallel state, each as --state takes it', async () => {
    const data = join(await folder(), 'data')
    const both = durable(
      setup({}).createMachine({
        id: 'both',
        type: 'parallel',
        states: { left: { initial: 'up', states: { up: {} } }, right: {} },
      }),
    )
    const host = await openHost({ journal: await fileJournal(data), machines: [both] })
    await host.actor(both, 'b')
    await host.close()
    expect((await duramen('list', data)).stdout).toMatch(/both +b +active +left\.up, right /)
    expect((await duramen('list', data, '--state', 'left.up')).stdout).toContain('1 instance.')
  })

  it('has a line also where there is none', async () => {
    const data = join(await folder(), 'data')
    const host = await openHost({ journal: await fileJournal(data) })
    await host.close()
    expect(await duramen('list', data)).toEqual({ code: 0, stdout: '0 instances.\n', stderr: '' })
  })
})

describe('what went wrong', () => {
  it('goes to stderr, with --json as one line of JSON; stdout is the report or nothing', async () => {
    const missing = join(await folder(), 'missing')
    for (const [args, code, said] of [
      [['list', missing], 1, 'FOLDER_MISSING'],
      [['check', missing], 1, 'FOLDER_MISSING'],
      [['backup', missing, `${missing}2`], 1, 'FOLDER_MISSING'],
      [['list', '--status', 'odd'], 2, 'USAGE'],
      [['nonsense'], 2, 'USAGE'],
    ] as const) {
      const ended = await duramen(...args, '--json')
      expect({ code: ended.code, stdout: ended.stdout }, args.join(' ')).toEqual({ code, stdout: '' })
      expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
      const { error } = JSON.parse(ended.stderr)
      expect(error).toMatchObject({ code: said, message: expect.any(String) })
      if (code === 1) expect(error).toMatchObject({ hint: expect.any(String), where: expect.any(Object) })
    }
  })
})
