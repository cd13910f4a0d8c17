import { createMachine } from 'xstate'
import { conforms } from '../support/conformance.ts'

/** A washing machine that loses power: three levels, so that shallow and deep history differ. */
const washing = (history: 'shallow' | 'deep') =>
  createMachine({
    initial: 'running',
    states: {
      running: {
        initial: 'wash',
        on: { CUT: 'dark' },
        states: {
          wash: { initial: 'soak', states: { soak: { on: { NEXT: 'spin' } }, spin: { on: { NEXT: '#rinse' } } } },
          rinse: { id: 'rinse', initial: 'fill', states: { fill: { on: { NEXT: 'drain' } }, drain: {} } },
          hist: { type: 'history', history },
        },
      },
      dark: { on: { POWER: 'running.hist', RESET: 'running' } },
    },
  })

conforms('shallow history remembers the child and enters it from its start', () => washing('shallow'), {
  steps: ['NEXT', 'NEXT', 'NEXT', 'CUT', 'POWER'],
  ends: { value: { running: { rinse: 'fill' } } },
})

conforms('deep history remembers all the way down', () => washing('deep'), {
  steps: ['NEXT', 'NEXT', 'NEXT', 'CUT', 'POWER', 'CUT', 'RESET', 'CUT', 'POWER'],
  ends: { value: { running: { wash: 'soak' } } },
})

conforms(
  'history without a memory goes to its default target, then to what was left',
  () =>
    createMachine({
      initial: 'off',
      states: {
        off: { on: { ON: 'on.hist' } },
        on: {
          on: { OFF: 'off' },
          initial: 'a',
          states: { a: { on: { N: 'b' } }, b: { on: { N: 'c' } }, c: {}, hist: { type: 'history', target: 'b' } },
        },
      },
    }),
  { steps: ['ON', 'N', 'OFF', 'ON'], ends: { value: { on: 'c' } } },
)

conforms(
  'deep history of a parallel state',
  () => {
    const steps = (event: string) => ({
      initial: 'one',
      states: {
        one: { on: { [event]: 'two' } },
        two: { initial: 'x', states: { x: { on: { [event]: 'y' } }, y: {} } },
      },
    })
    return createMachine({
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          on: { PAUSE: 'paused' },
          states: { left: steps('L'), right: steps('R'), deep: { type: 'history', history: 'deep' } },
        },
        paused: { on: { RESUME: 'work.deep', AGAIN: 'work' } },
      },
    } as never)
  },
  {
    steps: ['L', 'L', 'R', 'PAUSE', 'RESUME', 'R', 'PAUSE', 'AGAIN', 'PAUSE', 'RESUME'],
    ends: { value: { work: { left: 'one', right: 'one' } } },
  },
)

conforms(
  'two history states at once put two regions back',
  () => {
    const region = (name: string) => ({
      initial: 'a',
      states: { a: { on: { [`${name}`]: 'b' } }, b: {}, hist: { type: 'history' } },
    })
    return createMachine({
      id: 'h',
      initial: 'on',
      states: {
        on: { type: 'parallel', on: { OFF: 'off' }, states: { p: region('P'), q: region('Q') } },
        off: { on: { BACK: { target: ['#h.on.p.hist', '#h.on.q.hist'] } } },
      },
    } as never)
  },
  { steps: ['Q', 'OFF', 'BACK', 'P', 'OFF', 'BACK'], ends: { value: { on: { p: 'b', q: 'b' } } } },
)

conforms(
  'a payment that goes back to the chosen method',
  ({ did }) =>
    createMachine({
      initial: 'method',
      states: {
        method: {
          initial: 'cash',
          states: {
            cash: { entry: () => did('cash'), on: { SWITCH: 'check' } },
            check: { entry: () => did('check'), exit: () => did('no check'), on: { SWITCH: 'cash' } },
            last: { type: 'history' },
          },
          on: { NEXT: 'review' },
        },
        review: { on: { PREVIOUS: 'method.last' } },
      },
    }),
  {
    steps: ['SWITCH', 'NEXT', 'PREVIOUS', 'NEXT'],
    ends: { value: 'review' },
    did: ['cash', 'check', 'no check', 'check', 'no check'],
  },
)
