import { assign, createMachine, raise, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'an editor with bold, underline and italics beside each other',
  () => {
    const toggle = (event: string) => ({
      initial: 'off',
      states: { off: { on: { [event]: 'on' } }, on: { on: { [event]: 'off' } } },
    })
    return createMachine({
      type: 'parallel',
      states: { bold: toggle('B'), underline: toggle('U'), italics: toggle('I') },
    } as never)
  },
  { steps: ['B', 'U', 'B', 'I'], ends: { value: { bold: 'off', underline: 'on', italics: 'on' } } },
)

conforms(
  'one event moves several regions, in document order',
  ({ did }) => {
    const region = (name: string) => ({
      initial: 'one',
      states: {
        one: { exit: () => did(`-${name}`), on: { GO: { target: 'two', actions: () => did(`>${name}`) } } },
        two: { entry: () => did(`+${name}`) },
      },
    })
    return createMachine({ type: 'parallel', states: { a: region('a'), b: region('b'), c: region('c') } } as never)
  },
  {
    steps: ['GO', 'GO'],
    ends: { value: { a: 'two', b: 'two', c: 'two' } },
    did: ['-c', '-b', '-a', '>a', '>b', '>c', '+a', '+b', '+c'],
  },
)

conforms(
  'regions within regions; one speaks to the other by raise',
  () =>
    setup({ types }).createMachine({
      context: { heard: 0 },
      initial: 'on',
      states: {
        off: { on: { SWITCH: 'on' } },
        on: {
          type: 'parallel',
          on: { SWITCH: 'off' },
          states: {
            sound: {
              initial: 'quiet',
              states: {
                quiet: { on: { PLAY: { target: 'loud', actions: raise({ type: 'NOISE' }) } } },
                loud: { on: { NOISE: 'quiet' } },
              },
            },
            meters: {
              type: 'parallel',
              states: {
                left: { initial: 'low', states: { low: { on: { NOISE: 'high' } }, high: { on: { NOISE: 'low' } } } },
                right: { on: { NOISE: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } } },
              },
            },
          },
        },
      },
    }),
  {
    steps: ['PLAY', 'NOISE', 'PLAY', 'SWITCH', 'PLAY', 'SWITCH'],
    ends: { value: { on: { sound: 'quiet', meters: { left: 'low', right: {} } } }, context: { heard: 3 } },
  },
)

conforms(
  'a region is entered anew when a sibling is the target of a reentering transition',
  ({ did }) =>
    createMachine({
      initial: 'p',
      states: {
        p: {
          type: 'parallel',
          states: {
            a: {
              entry: () => did('+a'),
              exit: () => did('-a'),
              initial: 'x',
              states: { x: { on: { SELF: { target: '#b2', reenter: true } } } },
            },
            b: { entry: () => did('+b'), exit: () => did('-b'), initial: 'b1', states: { b1: {}, b2: { id: 'b2' } } },
          },
        },
      },
    }),
  { steps: ['SELF', 'SELF'], ends: { value: { p: { a: 'x', b: 'b2' } } } },
)

conforms(
  'a parallel state is done when all of its regions are, and not before',
  () =>
    setup({ types }).createMachine({
      context: {},
      initial: 'both',
      states: {
        both: {
          type: 'parallel',
          states: {
            a: {
              initial: 'w',
              states: { w: { on: { A: 'f' } }, f: { type: 'final', output: 'from a' } },
              onDone: { actions: assign({ a: ({ event }) => event.output }) },
            },
            b: { initial: 'w', states: { w: { on: { B: 'f' } }, f: { type: 'final' } } },
          },
          onDone: { target: 'over', actions: assign({ all: true }) },
        },
        over: { type: 'final' },
      },
      output: ({ context }: any) => context,
    }),
  { steps: ['A', 'A', 'B', 'B'], ends: { status: 'done', output: { a: 'from a', all: true } } },
)

conforms(
  'many targets at once',
  () =>
    createMachine({
      id: 'm',
      initial: 'simple',
      states: {
        simple: { on: { SET: { target: ['#m.para.a.two', '#m.para.b.two'] }, ONE: '#m.para.b.two' } },
        para: {
          type: 'parallel',
          on: { OUT: 'simple' },
          states: {
            a: { initial: 'one', states: { one: {}, two: {} } },
            b: { initial: 'one', states: { one: {}, two: {} } },
          },
        },
      },
    } as never),
  { steps: ['SET', 'OUT', 'ONE'], ends: { value: { para: { a: 'one', b: 'two' } } } },
)
