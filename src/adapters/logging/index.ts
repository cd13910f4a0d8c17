// duramen/logging: a logger for the console and a file with rotation, in lines or JSON, which shows no secrets (G1).
export { type CreatedLogger, createLogger, type LoggerOptions } from './create-logger.ts'
