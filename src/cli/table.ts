// Rows of plain text, one column under the other. No cell is cut: one that is longer than its column pushes the rest of
// its line to the right.
import { printable } from '../ports/printable.ts'
import { padded, widthOf } from './text.ts'

const WIDEST = 40

/** The rows as lines; the columns whose indexes are in `right` are aligned to the right. */
export const tableLines = (rows: readonly (readonly string[])[], right: readonly number[] = []): string[] =>
  rows.map(columnsFor(rows, right))

/** Makes lines of rows, in columns as wide as these rows need. */
export function columnsFor(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): (row: readonly string[]) => string {
  const widths = rows[0]!.map((_, i) => Math.min(WIDEST, Math.max(...rows.map((row) => widthOf(printable(row[i]!))))))
  const aligned = (cell: string, i: number) =>
    right.includes(i) ? ' '.repeat(Math.max(0, widths[i]! - widthOf(cell))) + cell : padded(cell, widths[i]!)
  return (row) =>
    row
      .map((cell, i) => aligned(printable(cell), i))
      .join('  ')
      .trimEnd()
}
