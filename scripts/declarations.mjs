// Reads the declarations that `npm run build` has made, as far as our own way of writing comments needs it: a doc comment
// stands directly before what it is for, and what is optional says "Default …." in it. TypeScript 7 has no stable API for
// this yet; the text that tsc prints is regular (one member a line, four spaces for each level).
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))
const COMMENT = String.raw`(?:/\*\*((?:(?!\*/)[\s\S])*)\*/\s*)?`

/** The entry points, as in package.json: name to declaration file. */
export function entryPoints() {
  const { name, exports } = JSON.parse(readFileSync(join(DIST, '../package.json'), 'utf8'))
  const typed = Object.entries(exports).filter(([, target]) => target.types)
  return new Map(typed.map(([path, { types }]) => [join(name, path), resolve(DIST, '..', types)]))
}

/** All that a declaration file exports, with the doc comment of each ('' where there is none). */
export function exportsOf(file) {
  const text = textOf(file)
  const found = new Map()
  const from = (path) => besides(file, path)
  for (const [, path] of text.matchAll(/^export (?:type )?\* from '(\.[^']+)'/gm))
    for (const [name, comment] of exportsOf(from(path))) found.set(name, comment)
  for (const [, names, path] of text.matchAll(/^export (?:type )?\{([^}]*)\}(?: from '(\.[^']+)')?/gm))
    for (const [, local, , name = local] of names.matchAll(/(?:type )?(\w+)( as (\w+))?/g)) {
      const origin = path ?? text.match(new RegExp(String.raw`^import .*\b${local}\b.* from '(\.[^']+)'`, 'm'))?.[1]
      found.set(name, (origin ? exportsOf(from(origin)) : declared(text)).get(local) ?? '')
    }
  for (const [name, comment] of declared(text, 'export ')) found.set(name, comment)
  return found
}

const besides = (file, path) => join(dirname(file), path.replace(/\.(ts|js)$/, '.d.ts'))

function declared(text, exported = '') {
  const kinds = '(?:declare |abstract )*(?:function|class|interface|type|const)'
  const found = new Map()
  for (const [, comment = '', name] of text.matchAll(new RegExp(`^${COMMENT}${exported}${kinds} (\\w+)`, 'gm')))
    found.set(name, found.get(name) || words(comment))
  return found
}

/**
 * The members of the one block in all of dist that begins with a line that contains `start`, and that line.
 * A member: { name, optional, type, file, comment, members (of a type that is written out with comments) }.
 */
export function blockOf(start) {
  const found = declarationFiles().flatMap((file) => {
    const lines = textOf(file).split('\n')
    return lines.flatMap((line, at) => (line.includes(start) && line.endsWith('{') ? [{ file, lines, at }] : []))
  })
  if (found.length !== 1)
    throw new Error(`${found.length} places in dist begin with '${start}'; mend scripts/options.mjs`)
  const [{ file, lines, at }] = found
  return { head: lines[at], members: membersFrom(file, lines, at + 1) }
}

const declarationFiles = () =>
  readdirSync(DIST, { recursive: true })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => join(DIST, name))

const texts = new Map()
function textOf(file) {
  if (!texts.has(file)) texts.set(file, readFileSync(file, 'utf8'))
  return texts.get(file)
}

function membersFrom(file, lines, first) {
  const indent = lines[first].match(/^ */)[0]
  const members = []
  let comment = ''
  for (let at = first; lines[at].startsWith(indent); at++) {
    if (lines[at].startsWith(`${indent}/**`)) {
      const from = at
      while (!lines[at].endsWith('*/')) at++
      comment = words(
        lines
          .slice(from, at + 1)
          .join('\n')
          .trim()
          .slice(3, -2),
      )
      continue
    }
    const [, name, optional, begin] = lines[at].match(/^ *(?:readonly )?(\w+)(\?)?: (.*)$/) ?? []
    if (!name) throw new Error(`no option: ${lines[at]}`)
    const from = at
    while (!(lines[at].endsWith(';') && /^ *\S/.exec(lines[at])[0].length === indent.length + 1)) at++
    const type = [begin, ...lines.slice(from + 1, at + 1).map((line) => line.trim())].join(' ').replace(/;$/, '')
    const documented = begin === '{' && lines[from + 1].trim().startsWith('/**')
    const inner = documented ? membersFrom(file, lines, from + 1) : []
    members.push({ name, optional: Boolean(optional), type: type.replace('; }', ' }'), file, comment, members: inner })
    comment = ''
  }
  return members
}

/**
 * What a type stands for in a declaration file, if that is a name for no more than a choice of texts. Names are looked up
 * as TypeScript does: the same name may stand for something else in another file.
 */
export function choiceOf(type, file) {
  if (!/^[A-Z]\w*$/.test(type)) return type
  const text = textOf(file)
  const [, choice] =
    new RegExp(String.raw`^(?:export )?type ${type} = ('[\w-]+'(?: \| '[\w-]+')*);$`, 'm').exec(text) ?? []
  if (choice) return choice
  if (declared(text).has(type) || declared(text, 'export ').has(type)) return type
  const named = new RegExp(
    String.raw`^(?:import|export) (?:type )?\{([^}]*\b${type}\b[^}]*)\} from '([^']+)'`,
    'm',
  ).exec(text)
  if (!named) return fromAnywhere(type, file)
  const [, names, path] = named
  if (/\bas\b/.test(names))
    throw new Error(`${file}: what ${type} is under another name can't be told; import it by its own`)
  return path.startsWith('.') ? choiceOf(type, besides(file, path)) : type
}

/** Of a name that a file neither declares nor names: one of those that it hands on as a whole, or a global. */
function fromAnywhere(type, file) {
  const handedOn = [...textOf(file).matchAll(/^export (?:type )?\* from '(\.[^']+)'/gm)].map(([, path]) =>
    besides(file, path),
  )
  const found = handedOn.filter((other) => exportsOf(other).has(type))
  if (found.length > 1) throw new Error(`${file}: ${type} may come from ${found.join(' or ')}`)
  return found.length === 1 ? choiceOf(type, found[0]) : type
}

/** A comment as one line. */
const words = (comment) =>
  comment
    .replace(/^\s*\*/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
