/**
 * `duramen/mongodb`: images in MongoDB, or in what speaks its protocol, over the package `mongodb` 7 (install it beside
 * duramen).
 */
export { type MongoImageStoreOptions, mongoImageStore } from './store.ts'
