// Where a command writes. A terminal gets colours and a progress bar under the lines; everything else gets plain lines.
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import { MultiBar, type SingleBar } from 'cli-progress'
import { shortened } from './text.ts'

/** One at a time: given several, Node 20 does not look at the stream. */
export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red'

export interface Screen {
  /** One line, above the progress bar. */
  line(text?: string): void
  /** Coloured, where colours are wanted (a terminal, and no NO_COLOR). */
  style(style: Style, text: string): string
  /** Shows the bar, or moves it. */
  progress(done: number, total: number, what: string): void
  /** Takes the bar away. */
  endProgress(): void
}

export function createScreen(stream: WriteStream): Screen {
  const style: Screen['style'] = (format, text) => styleText(format, text, { stream, validateStream: true })
  if (stream.isTTY && process.env.TERM !== 'dumb') return { style, ...withBar(stream) }
  return { style, line: (text = '') => void stream.write(`${text}\n`), progress() {}, endProgress() {} }
}

function withBar(stream: WriteStream): Omit<Screen, 'style'> {
  let bars: MultiBar | undefined
  let bar: SingleBar | undefined

  return {
    line(text = '') {
      if (!bars) return void stream.write(`${text}\n`)
      bars.log(`${text}\n`)
      bars.update()
    },
    progress(done, total, what) {
      bars ??= new MultiBar({
        stream,
        format: ' {bar} {value}/{total}  {what}',
        barsize: 30,
        barCompleteChar: '━',
        barIncompleteChar: '─',
        hideCursor: false, // a kill would leave it hidden
        clearOnComplete: true,
        forceRedraw: true, // a line above has overwritten it
        gracefulExit: false,
        linewrap: true, // cuts the bar at the edge, and nothing else
      })
      bar ??= bars.create(total, done, { what: '' })
      bar.setTotal(total)
      const room = Math.max(10, stream.columns - 50)
      bar.update(done, { what: shortened(what, room) })
    },
    endProgress() {
      bars?.stop()
      bars = bar = undefined
    },
  }
}
