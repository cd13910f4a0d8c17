// Rows of plain text, one column under the other. No cell is cut: one that is longer than its column pushes the rest of
// its line to the right.
import { padded, printable, widthOf } from './text.ts'

const WIDEST = 40

/** The rows as lines; the columns whose indexes are in `right` are aligned to the right. */
export function tableLines(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const cells = rows.map((row) => row.map(printable))
  const widths = cells[0]!.map((_, i) => Math.min(WIDEST, Math.max(...cells.map((row) => widthOf(row[i]!)))))
  const aligned = (cell: string, i: number) =>
    right.includes(i) ? ' '.repeat(Math.max(0, widths[i]! - widthOf(cell))) + cell : padded(cell, widths[i]!)
  return cells.map((row) => row.map(aligned).join('  ').trimEnd())
}
