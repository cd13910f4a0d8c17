// What can't be said on a command line: a module whose default export is `{ journal: { codec } }`.
import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FileJournalOptions } from '../journal/index.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'

/** How the journal is opened. Rejects with BAD_OPTION. */
export async function journalOptionsIn(file: string | undefined): Promise<Pick<FileJournalOptions, 'codec'>> {
  if (file === undefined) return {}
  const path = resolve(file)
  const loaded = await access(path)
    .then(() => import(pathToFileURL(path).href))
    .catch((cause) => {
      throw new DuramenError('BAD_OPTION', `--config: ${path} can't be loaded: ${cause.message}`, {
        cause,
        where: { file: path },
        hint: 'Give a JavaScript module: export default { journal: { codec: aesGcm({ keys }) } }',
      })
    })
  const { codec } = loaded.default?.journal ?? {}
  return codec === undefined ? {} : { codec }
}

/** Here a codec is given with --config. */
export function withConfig(error: unknown, config: string | undefined): unknown {
  if (!isDuramenError(error) || error.code !== 'CODEC_MISSING') return error
  const hint = `${config === undefined ? 'Add' : 'Look at'} --config: a module that exports { journal: { codec } } with the codec of the journal.`
  return new DuramenError(error.code, error.message, { where: error.where, cause: error, hint })
}
