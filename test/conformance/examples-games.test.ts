// Machines that XState's examples and pages show, each made anew: what they do is theirs, how they are written ours.
import { assign, createMachine, fromPromise, setup } from 'xstate'
import { conforms, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'tic-tac-toe',
  () => {
    const lines = ['012', '345', '678', '036', '147', '258', '048', '246'].map((line) => [...line].map(Number))
    const fresh = () => ({ board: Array(9).fill(null), moves: 0, player: 'x', winner: undefined })
    return setup({
      types,
      guards: {
        won: ({ context: { board } }) =>
          lines.some(([a, b, c]) => board[a!] && board[a!] === board[b!] && board[a!] === board[c!]),
        full: ({ context }) => context.moves === 9,
        free: ({ context, event }) => context.board[event.at] === null,
      },
    }).createMachine({
      context: fresh,
      initial: 'playing',
      states: {
        playing: {
          always: [
            { guard: 'won', target: 'over.winner' },
            { guard: 'full', target: 'over.draw' },
          ],
          on: {
            PLAY: {
              guard: 'free',
              target: 'playing',
              actions: assign(({ context, event }) => ({
                board: context.board.with(event.at, context.player),
                moves: context.moves + 1,
                player: context.player === 'x' ? 'o' : 'x',
              })),
            },
          },
        },
        over: {
          initial: 'winner',
          states: {
            winner: {
              tags: 'winner',
              entry: assign({ winner: ({ context }) => (context.player === 'x' ? 'o' : 'x') }),
            },
            draw: { tags: 'draw' },
          },
          on: { RESET: { target: 'playing', actions: assign(fresh) } },
        },
      },
    })
  },
  {
    steps: [
      ...[0, 0, 4, 8, 2, 6, 5, 3].map((at) => ({ type: 'PLAY', at })),
      'RESET',
      ...[0, 1, 4, 2, 8].map((at) => ({ type: 'PLAY', at })),
    ],
    ends: { value: { over: 'winner' }, context: { winner: 'x' }, tags: ['winner'] },
  },
)

conforms(
  'donut maker: parallel mixing, then one step after the other',
  () =>
    createMachine({
      initial: 'ingredients',
      states: {
        ingredients: { on: { NEXT: 'directions' } },
        directions: {
          initial: 'dough',
          onDone: 'fry',
          states: {
            dough: { on: { NEXT: 'mix' } },
            mix: {
              type: 'parallel',
              states: {
                dry: { initial: 'mixing', states: { mixing: { on: { DRY: 'mixed' } }, mixed: { type: 'final' } } },
                wet: { initial: 'mixing', states: { mixing: { on: { WET: 'mixed' } }, mixed: { type: 'final' } } },
              },
              onDone: 'all',
            },
            all: { type: 'final' },
          },
        },
        fry: { on: { NEXT: 'flip' } },
        flip: { on: { NEXT: 'dry' } },
        dry: { on: { NEXT: 'eat', AGAIN: 'ingredients' } },
        eat: { type: 'final' },
      },
    }),
  {
    steps: [
      'NEXT',
      'NEXT',
      'WET',
      'DRY',
      'NEXT',
      'NEXT',
      'AGAIN',
      'NEXT',
      'NEXT',
      'DRY',
      'WET',
      'NEXT',
      'NEXT',
      'NEXT',
    ],
    ends: { status: 'done', value: 'eat' },
  },
)

conforms(
  'snake: ticks by time, apples by chance',
  () => {
    const turn: any = assign({ dir: ({ event }: any) => event.dir })
    const dirs: Record<string, [number, number]> = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] }
    return setup({
      types,
      guards: {
        out: ({ context }) => context.snake[0].some((n: number) => n < 0 || n > 4),
        bitten: ({ context }) => context.snake.slice(1).some((p: number[]) => String(p) === String(context.snake[0])),
      },
    }).createMachine({
      context: {
        snake: [
          [2, 2],
          [1, 2],
        ],
        dir: 'right',
        apple: [4, 2],
        score: 0,
      },
      initial: 'new',
      states: {
        new: { on: { ARROW: { target: 'moving', actions: turn } } },
        moving: {
          entry: assign(({ context }) => {
            const [dx, dy] = dirs[context.dir]!
            const head = [context.snake[0][0] + dx, context.snake[0][1] + dy]
            const eats = String(head) === String(context.apple)
            return {
              snake: [head, ...(eats ? context.snake : context.snake.slice(0, -1))],
              score: context.score + (eats ? 1 : 0),
              apple: eats ? [0, 0] : context.apple,
            }
          }),
          always: [
            { guard: 'out', target: 'over' },
            { guard: 'bitten', target: 'over' },
          ],
          after: { 100: { target: 'moving', reenter: true } },
          on: { ARROW: { actions: turn } },
        },
        over: { on: { AGAIN: 'new' } },
      },
    })
  },
  {
    steps: [{ type: 'ARROW', dir: 'right' }, 100, { type: 'ARROW', dir: 'down' }, 100, 100, 100],
    ends: { value: 'over', context: { score: 1 } },
  },
)

conforms(
  'trivia: questions, scores and lives',
  ({ job }) =>
    setup({ types, actors: { load: fromPromise(() => job('questions')) } }).createMachine({
      context: { questions: [], at: 0, points: 0, lives: 2 },
      initial: 'home',
      states: {
        home: { on: { START: 'loading' } },
        loading: {
          invoke: {
            src: 'load',
            id: 'load',
            onDone: { target: 'asking', actions: assign({ questions: ({ event }) => event.output }) },
          },
        },
        asking: {
          always: [
            { guard: ({ context }) => context.lives === 0, target: 'lost' },
            { guard: ({ context }) => context.at === context.questions.length, target: 'won' },
          ],
          after: { 5000: { target: 'checking', actions: assign({ answer: undefined }) } },
          on: { ANSWER: { target: 'checking', actions: assign({ answer: ({ event }) => event.answer }) } },
        },
        checking: {
          initial: 'deciding',
          states: {
            deciding: {
              always: [
                { guard: ({ context }) => context.questions[context.at].right === context.answer, target: 'right' },
                { target: 'wrong' },
              ],
            },
            right: { entry: assign({ points: ({ context }) => context.points + 10 }), tags: 'good' },
            wrong: { entry: assign({ lives: ({ context }) => context.lives - 1 }), tags: 'bad' },
          },
          on: { NEXT: { target: 'asking', actions: assign({ at: ({ context }) => context.at + 1 }) } },
        },
        won: { type: 'final' },
        lost: { type: 'final' },
      },
      output: ({ context }: any) => context.points,
    }),
  {
    steps: [
      'START',
      finish('questions', [{ right: 'a' }, { right: 'b' }, { right: 'c' }]),
      { type: 'ANSWER', answer: 'a' },
      'NEXT',
      5000,
      'NEXT',
      { type: 'ANSWER', answer: 'c' },
      'NEXT',
    ],
    ends: { status: 'done', value: 'won', output: 20 },
  },
)
