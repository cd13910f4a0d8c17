// V1: which processes are a program's own, from a table of them alone; and both tables tell the same of this machine.
import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { belonging } from '../../src/adapters/process/leftovers.ts'
import { carries, marked } from '../../src/adapters/process/mark.ts'
import { fromStat, type Process, procTable, psTable } from '../../src/adapters/process/table.ts'

const SELF = 10
const process = (pid: number, parent: number, group: number, more: Partial<Process> = {}): Process => ({
  pid,
  parent,
  group,
  started: `at ${pid}`,
  ended: false,
  ...more,
})
/** init, a shell, us; and apart from us a leader with a child, and one that left its group. */
const table = [
  process(1, 0, 1),
  process(5, 1, 5),
  process(SELF, 5, SELF),
  process(20, 1, 20),
  process(21, 20, 20),
  process(30, 1, 30),
]
const pidsOf = (found: Process[]) => found.map(({ pid }) => pid)
const leader = (more = {}) => ({ pid: 20, started: 'at 20', watched: false, ...more })
const none = new Set<number>()

it('V1i a recorded leader stands for its group only where it is that very process', () => {
  expect(pidsOf(belonging(table, none, leader(), SELF))).toEqual([20, 21])
  expect(belonging(table, none, leader({ started: 'at 19' }), SELF)).toEqual([])
  expect(belonging(table, none, leader({ started: 'at 19', watched: true }), SELF)).toEqual([])
  expect(belonging(table, none, null, SELF)).toEqual([])
})

it('V1j the group of a leader that has ended is its own only for who has watched it', () => {
  const orphaned = table.filter(({ pid }) => pid !== 20)
  expect(belonging(orphaned, none, leader(), SELF)).toEqual([])
  expect(pidsOf(belonging(orphaned, none, leader({ watched: true }), SELF))).toEqual([21])
  expect(pidsOf(belonging(orphaned, new Set([21]), leader(), SELF))).toEqual([21])
})

it('V1i what carries the mark is its own with its group, wherever it is', () => {
  expect(pidsOf(belonging(table, new Set([30]), null, SELF))).toEqual([30])
  expect(pidsOf(belonging(table, new Set([21]), null, SELF))).toEqual([20, 21])
})

it('V1j what one of its own has begun is its own, in whatever group; and stays so when it has lost its parent', () => {
  const apart = [...table, process(40, 21, 40), process(41, 40, 41), process(42, 1, 40)]
  expect(pidsOf(belonging(apart, none, leader(), SELF))).toEqual([20, 21, 40, 41])
  const orphaned = [
    process(1, 0, 1),
    process(SELF, 1, SELF),
    process(40, 1, 40),
    process(42, 1, 40),
    process(43, 42, 43),
  ]
  expect(belonging(orphaned, none, leader(), SELF)).toEqual([])
  expect(pidsOf(belonging(orphaned, none, leader(), SELF, new Set(['40 at 40'])))).toEqual([40, 42, 43])
  expect(belonging(orphaned, none, leader(), SELF, new Set(['40 at 39']))).toEqual([])
})

it('V1j a supervisor never ends itself, who has begun it, or what else is in their groups', () => {
  const nested = [process(1, 0, 1), process(5, 1, 5), process(6, 5, 5), process(SELF, 5, 5), process(11, SELF, 5)]
  expect(pidsOf(belonging(nested, new Set([5, SELF, 11]), leader({ pid: 5, started: 'at 5' }), SELF))).toEqual([11])
})

it('V1j what has ended and was not yet asked for counts as ended', () => {
  expect(belonging([process(20, 1, 20, { ended: true })], none, leader(), SELF)).toEqual([])
})

it('V1i supervisors within supervisors are told apart', () => {
  expect(marked('/a#1', undefined)).toBe('/a#1')
  const both = marked('/b#2', '/a#1')
  expect([carries(both, '/a#1'), carries(both, '/b#2'), carries(both, '/a'), carries(both, '/b#1')]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

it('V1j the name of a program may look like anything', () => {
  const stat = '7 (a) Z 1 (b)) S 3 4 4 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8154 1 1 1'
  expect(fromStat(7, 'boot', stat)).toEqual({ pid: 7, parent: 3, group: 4, started: 'boot/8154', ended: false })
})

it.runIf(globalThis.process.platform === 'linux')('V1j ps tells of a process what /proc tells', async () => {
  const { pid } = globalThis.process
  const [proc, ps] = [procTable(), psTable()]
  const { started: _, ...first } = proc.one(pid)!
  const { started, ...second } = ps.one(pid)!
  expect(second).toEqual(first)
  expect(Date.parse(`${started} UTC`)).toBeLessThanOrEqual(Date.now())
  const both = [await proc.all(), await ps.all()].map((all) => all.find((one) => one.pid === pid))
  expect(both).toEqual([proc.one(pid), ps.one(pid)])
  const gone = Number(execFileSync('sh', ['-c', 'echo $$']))
  expect([proc.one(gone), ps.one(gone)]).toEqual([undefined, undefined])
})
