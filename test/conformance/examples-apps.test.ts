// Machines that XState's examples and pages show, each made anew: what they do is theirs, how they are written ours.
import { assign, fromPromise, fromTransition, sendTo, setup, stopChild } from 'xstate'
import { conforms, fail, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'todo list: add, edit, filter, mark all, clear',
  () =>
    setup({ types }).createMachine({
      context: { todos: [], next: 1, filter: 'all' },
      on: {
        ADD: {
          guard: ({ event }) => event.title.trim() !== '',
          actions: assign({
            todos: ({ context, event }) => [...context.todos, { id: context.next, title: event.title, done: false }],
            next: ({ context }) => context.next + 1,
          }),
        },
        EDIT: {
          actions: assign({
            todos: ({ context, event }) =>
              context.todos.map((t: any) => (t.id === event.id ? { ...t, ...event.to } : t)),
          }),
        },
        REMOVE: {
          actions: assign({ todos: ({ context, event }) => context.todos.filter((t: any) => t.id !== event.id) }),
        },
        ALL: {
          actions: assign({
            todos: ({ context, event }) => context.todos.map((t: any) => ({ ...t, done: event.done })),
          }),
        },
        CLEAR: { actions: assign({ todos: ({ context }) => context.todos.filter((t: any) => !t.done) }) },
        FILTER: { actions: assign({ filter: ({ event }) => event.by }) },
      },
    }),
  {
    steps: [
      { type: 'ADD', title: 'learn' },
      { type: 'ADD', title: ' ' },
      { type: 'ADD', title: 'build' },
      { type: 'EDIT', id: 1, to: { done: true } },
      'CLEAR',
      { type: 'ALL', done: true },
      { type: 'FILTER', by: 'done' },
      { type: 'ADD', title: 'ship' },
    ],
    ends: {
      context: {
        todos: [
          { id: 2, title: 'build', done: true },
          { id: 3, title: 'ship', done: false },
        ],
        filter: 'done',
      },
    },
  },
)

conforms(
  'friends: a list of spawned machines that are saved one by one',
  ({ job }) => {
    const friend = setup({ types, actors: { save: fromPromise(({ input }) => job(`save ${input}`)) } }).createMachine({
      context: ({ input }: any) => ({ name: input.name, was: input.name }),
      initial: 'reading',
      states: {
        reading: { tags: 'read', on: { EDIT: 'editing' } },
        editing: {
          tags: 'form',
          on: {
            NAME: { actions: assign({ name: ({ event }) => event.value }) },
            SAVE: 'saving',
            CANCEL: { target: 'reading', actions: assign({ name: ({ context }) => context.was }) },
          },
        },
        saving: {
          tags: ['form', 'saving'],
          invoke: {
            src: 'save',
            id: 'save',
            input: ({ context }) => context.name,
            onDone: { target: 'reading', actions: assign({ was: ({ context }) => context.name }) },
            onError: 'editing',
          },
        },
      },
    })
    return setup({ types, actors: { friend } }).createMachine({
      context: { friends: [] },
      on: {
        ADD: {
          actions: assign({
            friends: ({ context, event, spawn }) => [
              ...context.friends,
              spawn('friend', { id: `friend-${event.name}`, input: { name: event.name } }),
            ],
          }),
        },
        TO: {
          actions: sendTo(
            ({ context, event }) => context.friends[event.at],
            ({ event }) => event.event,
          ),
        },
        REMOVE: {
          actions: [
            stopChild(({ context, event }) => context.friends[event.at]),
            assign({ friends: ({ context, event }) => context.friends.toSpliced(event.at, 1) }),
          ],
        },
      },
    })
  },
  {
    steps: [
      { type: 'ADD', name: 'Ada' },
      { type: 'ADD', name: 'Bob' },
      { type: 'TO', at: 1, event: { type: 'EDIT' } },
      { type: 'TO', at: 1, event: { type: 'NAME', value: 'Rob' } },
      { type: 'TO', at: 1, event: { type: 'SAVE' } },
      fail('save Rob', new Error('offline')),
      { type: 'TO', at: 1, event: { type: 'SAVE' } },
      { type: 'REMOVE', at: 0 },
      finish('save Rob'),
    ],
    ends: { children: { 'friend-Bob': { value: 'reading', context: { was: 'Rob' } } } },
  },
)

conforms(
  'a wizard with a history of its steps and a child per step',
  () => {
    const form = setup({ types }).createMachine({
      context: ({ input }: any) => ({ fields: input.fields }),
      initial: 'filling',
      states: {
        filling: {
          on: {
            FILL: { actions: assign({ fields: ({ context, event }) => ({ ...context.fields, ...event.fields }) }) },
            SUBMIT: 'done',
          },
        },
        done: { type: 'final' },
      },
      output: ({ context }: any) => context.fields,
    })
    const step = (name: string, next: string, previous?: string): any => ({
      invoke: {
        src: 'form',
        id: 'form',
        input: ({ context }: any) => ({ fields: context[name] ?? {} }),
        onDone: { target: next, actions: assign({ [name]: ({ event }: any) => event.output }) },
      },
      on: {
        ...(previous && { BACK: previous }),
        FILL: { actions: sendTo('form', ({ event }: any) => event) },
        SUBMIT: { actions: sendTo('form', { type: 'SUBMIT' }) },
      },
    })
    return setup({ types, actors: { form } }).createMachine({
      context: {},
      initial: 'wizard',
      states: {
        wizard: {
          initial: 'person',
          states: {
            person: step('person', 'address'),
            address: step('address', 'review', 'person'),
            review: { on: { BACK: 'address', CONFIRM: '#sent' } },
            last: { type: 'history' },
          },
          on: { PAUSE: 'paused' },
        },
        paused: { on: { RESUME: 'wizard.last' } },
        sent: { id: 'sent', type: 'final' },
      },
      output: ({ context }: any) => context,
    })
  },
  {
    steps: [
      { type: 'FILL', fields: { name: 'Ada' } },
      'SUBMIT',
      { type: 'FILL', fields: { city: 'London' } },
      'PAUSE',
      'RESUME',
      'BACK',
      'SUBMIT',
      { type: 'FILL', fields: { city: 'Ockham' } },
      'SUBMIT',
      'CONFIRM',
    ],
    ends: { status: 'done', output: { person: { name: 'Ada' }, address: { city: 'Ockham' } } },
  },
)

conforms(
  'a store: a transition actor with a parent that reads it',
  () => {
    const store = fromTransition(
      (state: { items: string[] }, event: any) =>
        event.type === 'ADD' ? { items: [...state.items, event.item] } : event.type === 'CLEAR' ? { items: [] } : state,
      { items: [] },
    )
    return setup({ types, actors: { store } }).createMachine({
      context: ({ spawn }: any) => ({ cart: spawn('store', { id: 'cart', systemId: 'cart' }), bought: undefined }),
      initial: 'shopping',
      states: {
        shopping: {
          on: {
            PUT: { actions: sendTo('cart', ({ event }) => ({ type: 'ADD', item: event.item })) },
            BUY: {
              guard: ({ context }) => context.cart.getSnapshot().context.items.length > 0,
              target: 'paid',
              actions: [
                assign({ bought: ({ context }) => context.cart.getSnapshot().context.items }),
                sendTo('cart', { type: 'CLEAR' }),
              ],
            },
          },
        },
        paid: {},
      },
    })
  },
  {
    steps: ['BUY', { type: 'PUT', item: 'pen' }, { type: 'PUT', item: 'ink' }, 'BUY'],
    ends: { value: 'paid', context: { bought: ['pen', 'ink'] }, children: { cart: { context: { items: [] } } } },
  },
)
