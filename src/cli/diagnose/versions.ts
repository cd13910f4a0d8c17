// Whether a version fits a range as package.json has it. Pre-releases count as the version that they lead to.

type Version = readonly [number, number, number]

/** Undefined where the range is none of versions (a tag, an address, `workspace:`). */
export function fits(version: string, range: string): boolean | undefined {
  const given = versionIn(version)
  const alternatives = range.split('||').map(boundsOf)
  if (given === undefined || alternatives.some((bounds) => bounds === undefined)) return undefined
  return alternatives.some((bounds) => bounds!.every((holds) => holds(given)))
}

type Bound = (version: Version) => boolean

const PART = String.raw`(\d+|[xX*])`
const TOKEN = new RegExp(String.raw`^(\^|~>?|>=|<=|>|<|=)?v?${PART}(?:\.${PART})?(?:\.${PART})?(?:[-+][\w.+-]*)?$`)

function versionIn(text: string): Version | undefined {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}

function boundsOf(alternative: string): Bound[] | undefined {
  const text = alternative
    .trim()
    .replace(/^(\S+)\s+-\s+(\S+)$/, '>=$1 <=$2')
    .replace(/([\^~<>=])\s+/g, '$1')
  if (text === '') return []
  const bounds = text.split(/\s+/).map(boundOf)
  return bounds.every((bound) => bound !== undefined) ? bounds : undefined
}

function boundOf(token: string): Bound | undefined {
  const [, operator = '', ...parts] = TOKEN.exec(token) ?? []
  if (parts.length === 0) return undefined
  const said = parts.findIndex((part) => part === undefined || /^[xX*]$/.test(part))
  const exact = said === -1 ? 3 : said
  if (exact === 0) return () => true
  const numbers = parts.map((part, i) => (i < exact ? Number(part) : 0))
  const from: Version = [numbers[0]!, numbers[1]!, numbers[2]!]
  const least: Bound = (version) => compare(version, from) >= 0
  const below = (at: number): Bound => {
    const end = from.map((number, i) => (i < at ? number : i === at ? number + 1 : 0))
    return (version) => compare(version, [end[0]!, end[1]!, end[2]!]) < 0
  }
  const both =
    (a: Bound, b: Bound): Bound =>
    (version) =>
      a(version) && b(version)
  switch (operator) {
    case '>=':
      return least
    case '>':
      return (version) => !below(exact - 1)(version)
    case '<':
      return (version) => !least(version)
    case '<=':
      return below(exact - 1)
    case '^':
      return both(least, below(from.findIndex((number, i) => number > 0 || i === exact - 1)))
    case '~':
    case '~>':
      return both(least, below(Math.min(1, exact - 1)))
    default:
      return both(least, below(exact - 1))
  }
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
