export { type SharpProcessorOptions, sharpProcessor } from './processor.ts'
