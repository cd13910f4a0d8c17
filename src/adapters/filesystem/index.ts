/**
 * `duramen/filesystem`: images on a local disk. `fileSystemFolders` keeps the folders of a pipeline, `fileSystemStore`
 * is a store in a folder, for hosts without a database. Linux and macOS; every answer means that the disk has it.
 */
export { type FileSystemFoldersOptions, fileSystemFolders } from './folders.ts'
export { fileSystemStore } from './store.ts'
