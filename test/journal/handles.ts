// What all file handles have in common, to be spied on: node:fs/promises does not export it.
import { type FileHandle, open } from 'node:fs/promises'

export const handles: FileHandle = await (async () => {
  const handle = await open(import.meta.filename)
  await handle.close()
  return Object.getPrototypeOf(handle)
})()
