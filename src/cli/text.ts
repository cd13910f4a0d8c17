// Texts that came from outside (file names, codes in pictures) on a terminal.

const graphemes = new Intl.Segmenter()
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u

/** Columns that a text takes. */
export function widthOf(text: string): number {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** At least `width` columns wide; a longer text stays whole. */
export const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** At most `width` columns wide. */
export function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let short = ''
  for (const { segment } of graphemes.segment(text)) {
    if (widthOf(short + segment) >= width) break
    short += segment
  }
  return `${short}…`
}

/** 14229 → `14.2 kB`. */
export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(size, 1)) / 3))
  return `${power === 0 ? size : (size / 1000 ** power).toFixed(1)} ${units[power]}`
}

/** `1 image`, `2 images`. */
export const counted = (n: number, what: string, many = `${what}s`): string => `${n} ${n === 1 ? what : many}`
