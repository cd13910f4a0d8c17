// What `duramen/machines` offers of start-ups.
export { loadOnce } from './load-once.ts'
