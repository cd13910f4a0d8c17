// Folders and stores in a fresh temporary folder.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Files } from '../../src/adapters/filesystem/files.ts'
import { type FileSystemFoldersOptions, fileSystemFolders } from '../../src/adapters/filesystem/folders.ts'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import type { FoldersWorld, StoreWorld } from '../../src/testing/images/index.ts'

export const tempDir = (): Promise<string> => mkdtemp(join(tmpdir(), 'duramen-fs-'))

export interface DiskWorld extends FoldersWorld {
  readonly root: string
}

export async function foldersWorld(options: FileSystemFoldersOptions = {}, files?: Files): Promise<DiskWorld> {
  const root = await tempDir()
  const create = () => fileSystemFolders(root, { stableFor: 0, ...options }, files)
  return {
    root,
    folders: create(),
    another: create,
    drop: async (folder, name, content) => {
      await mkdir(join(root, folder), { recursive: true })
      await writeFile(join(root, folder, name), content)
    },
    names: async (folder) => (await readdir(join(root, folder))).sort(),
    content: (folder, name) => readFile(join(root, folder, name), 'utf8'),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
}

export async function storeWorld(): Promise<StoreWorld & { root: string }> {
  const root = await tempDir()
  return {
    root,
    store: fileSystemStore(root),
    another: () => fileSystemStore(root),
    damage: (sha256) => writeFile(join(root, 'objects', sha256.slice(0, 2), sha256), 'damaged'),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
}
