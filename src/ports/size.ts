// Sizes as people write them, in options as in commands.
const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 }

/** Bytes of `500000`, `500kB`, `1.5MB`, `1GB`, in whatever case; undefined where that is no size, or none of a byte or more. */
export function bytesIn(text: string): number | undefined {
  const [, count, unit = 'B'] = /^(\d{1,15}(?:\.\d{1,9})?)([KMG]?B)?$/i.exec(text) ?? []
  const bytes = count === undefined ? 0 : Math.floor(Number(count) * UNITS[unit.toUpperCase()]!)
  return bytes >= 1 ? bytes : undefined
}
