// What `duramen/machines` offers.
export * from './image/index.ts'
export * from './schedule/index.ts'
