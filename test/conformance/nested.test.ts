import { assign, createMachine, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'traffic light: a nested pedestrian light, entered anew with its parent',
  () =>
    createMachine({
      initial: 'green',
      states: {
        green: { on: { TIMER: 'yellow' } },
        yellow: { on: { TIMER: 'red' } },
        red: {
          initial: 'walk',
          on: { TIMER: 'green' },
          states: { walk: { on: { COUNT: 'wait' } }, wait: { on: { COUNT: 'stop' } }, stop: {} },
        },
      },
    }),
  {
    steps: ['TIMER', 'TIMER', 'COUNT', 'UNKNOWN', 'COUNT', 'TIMER', 'TIMER', 'TIMER'],
    ends: { value: { red: 'walk' } },
  },
)

conforms(
  'entry and exit run from the common ancestor, down and up',
  ({ did }) => {
    const noted = (at: string, more: object = {}) => ({
      entry: () => did(`+${at}`),
      exit: () => did(`-${at}`),
      ...more,
    })
    return createMachine({
      initial: 'a',
      states: {
        a: noted('a', {
          id: 'a',
          initial: 'a1',
          states: { a1: noted('a1', { on: { SIDE: 'a2', DEEP: '#b2' } }), a2: noted('a2') },
          on: { OVER: 'b' },
        }),
        b: noted('b', {
          initial: 'b1',
          states: { b1: noted('b1', { on: { ON: 'b2' } }), b2: noted('b2', { id: 'b2', on: { BACK: '#a' } }) },
        }),
      },
    })
  },
  {
    steps: ['SIDE', 'OVER', 'ON', 'BACK', 'DEEP'],
    ends: { value: { b: 'b2' } },
    did: '+a +a1 -a1 +a2 -a2 -a +b +b1 -b1 +b2 -b2 -b +a +a1 -a1 -a +b +b2'.split(' '),
  },
)

conforms(
  'a child state takes an event before its parent; forbidden transitions stop it',
  () =>
    setup({ types }).createMachine({
      context: { by: [] },
      initial: 'p',
      on: { E: { actions: assign({ by: ({ context }) => [...context.by, 'root'] }) } },
      states: {
        p: {
          initial: 'c',
          on: {
            E: { actions: assign({ by: ({ context }) => [...context.by, 'p'] }) },
            N: { actions: assign({ by: [] }) },
          },
          states: {
            c: { on: { E: { target: 'd', actions: assign({ by: ({ context }) => [...context.by, 'c'] }) } } },
            d: { on: { N: undefined, X: '#out' } },
          },
        },
        out: { id: 'out' },
      },
    }),
  { steps: ['E', 'E', 'N', 'X', 'E'], ends: { value: 'out', context: { by: ['c', 'p', 'root'] } } },
)

conforms(
  'ten levels deep, left from the innermost',
  () => {
    const level = (n: number): object =>
      n === 0 ? { on: { UP: '#top.rest' } } : { initial: 'in', states: { in: level(n - 1) }, tags: `t${n}` }
    return createMachine({
      id: 'top',
      initial: 'down',
      states: { down: level(10), rest: { on: { DOWN: 'down' } } },
    } as never)
  },
  { steps: ['UP', 'DOWN'], ends: { tags: ['t1', 't10', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9'] } },
)

conforms(
  'a word machine that is driven from state to state by ids and relative paths',
  () =>
    createMachine({
      id: 'word',
      initial: 'text',
      states: {
        text: {
          on: { BOLD: '.bold', TOGGLE: '#style.italic' },
          initial: 'plain',
          states: { plain: {}, bold: { on: { OFF: 'plain' } } },
        },
        style: { id: 'style', initial: 'none', states: { none: {}, italic: { on: { TEXT: '#word.text.bold' } } } },
      },
    }),
  { steps: ['BOLD', 'OFF', 'TOGGLE', 'TEXT'], ends: { value: { text: 'bold' } } },
)
