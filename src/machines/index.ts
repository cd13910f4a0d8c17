// What `duramen/machines` offers.
export * from './image/index.ts'
