// What `duramen/machines` offers.
export * from './connection/index.ts'
export * from './device/index.ts'
export * from './image/index.ts'
export * from './schedule/index.ts'
export * from './startup/index.ts'
export * from './supervisor/index.ts'
export * from './worker/index.ts'
