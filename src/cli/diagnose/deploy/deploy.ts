// The files of a deployment in a folder, each looked at beside the others: what one leaves out, another may give.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Finding, warn } from '../finding.ts'
import { composeFacts, composeFindings, type Text } from './compose.ts'
import { dockerfileFindings, hasInit } from './dockerfile.ts'
import { unitFindings } from './unit.ts'

const KINDS = {
  dockerfile: /^(Dockerfile|Containerfile)(\..+)?$|\.Dockerfile$/,
  compose: /^(docker-)?compose(\.[\w-]+)?\.ya?ml$/,
  unit: /\.service$/,
} as const

export async function deploy(folder: string): Promise<Finding[]> {
  const names = (await readdir(folder)).sort()
  const of = (pattern: RegExp) =>
    Promise.all(
      names
        .filter((name) => pattern.test(name))
        .map(async (file): Promise<Text> => ({ file, text: await readFile(join(folder, file), 'utf8') })),
    )
  return deployFindings({
    dockerfiles: await of(KINDS.dockerfile),
    composes: await of(KINDS.compose),
    units: await of(KINDS.unit),
  })
}

export interface Deployment {
  readonly dockerfiles: readonly Text[]
  readonly composes: readonly Text[]
  readonly units: readonly Text[]
}

export function deployFindings({ dockerfiles, composes, units }: Deployment): Finding[] {
  if (dockerfiles.length + composes.length + units.length === 0)
    return [warn('deploy', 'there is no Dockerfile, compose file or unit here', 'run it in the folder that has them')]
  const together = merged(composes)
  const facts = together.map(composeFacts)
  const given = { init: facts.some(({ init }) => init), healthcheck: facts.some(({ healthcheck }) => healthcheck) }
  // where there is a Dockerfile, it is the one to have a health check
  const image = { init: dockerfiles.some(({ text }) => hasInit(text)), healthcheck: dockerfiles.length > 0 }
  return [
    ...dockerfiles.flatMap(({ file, text }) => dockerfileFindings(file, text, given)),
    ...together.flatMap((files) => composeFindings(files, image)),
    ...units.flatMap(({ file, text }) => unitFindings(file, text)),
  ]
}

const OVERRIDE = /^((?:docker-)?compose)\.override\.ya?ml$/

/** Each compose file, with the one that is laid over it without being asked for. Others, as compose.prod.yaml, stand alone. */
function merged(composes: readonly Text[]): Text[][] {
  const over = composes.filter(({ file }) => OVERRIDE.test(file))
  const bases = composes.filter((one) => !over.includes(one))
  const baseOf = ({ file }: Text) => bases.find((base) => base.file.replace(/\.ya?ml$/, '') === OVERRIDE.exec(file)![1])
  return [
    ...bases.map((base) => [base, ...over.filter((one) => baseOf(one) === base)]),
    ...over.filter((one) => baseOf(one) === undefined).map((one) => [one]),
  ]
}
