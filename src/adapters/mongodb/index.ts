/**
 * `duramen/mongodb`: images in MongoDB, or in what speaks its protocol, and the connection to it, over the package `mongodb` 7
 * (install it beside duramen).
 */
export { type MongoConnection, type MongoConnectionOptions, mongoConnection } from './connection.ts'
export { type MongoImageStoreOptions, mongoImageStore } from './store.ts'
