// The closing table: what became of every image since the journal began, and where it all lies.
import { countedAs, describe, type Image, listImages } from './images.ts'
import type { Places, Stage } from './stage.ts'
import { withoutName } from './steps.ts'
import type { OpenStore } from './store.ts'
import { tableLines } from './table.ts'
import { bytes, counted } from './text.ts'

interface Section {
  readonly outcome: Image['outcome']
  readonly title: string
  readonly colour: 'green' | 'yellow' | 'red'
  readonly head: readonly string[]
  readonly row: (image: Image, all: readonly Image[]) => readonly string[]
}

const why = ({ name, problem }: Image) => [name, withoutName(problem ?? '', name)]

const SECTIONS: readonly Section[] = [
  {
    outcome: 'archived',
    title: 'Archived',
    colour: 'green',
    head: ['NAME', 'CODE', 'SIZE'],
    row: ({ name, code, size }) => [name, code ?? '–', bytes(size)],
  },
  {
    outcome: 'duplicate',
    title: 'Duplicates',
    colour: 'yellow',
    head: ['NAME', 'SAME CONTENT AS'],
    row: ({ name, sha256 }, all) => [name, archivedAs(sha256, all)],
  },
  { outcome: 'quarantined', title: 'Quarantined', colour: 'red', head: ['NAME', 'REASON'], row: why },
  {
    outcome: 'gone',
    title: 'Gone (vanished from images_sources)',
    colour: 'red',
    head: ['NAME'],
    row: ({ name }) => [name],
  },
  { outcome: undefined, title: 'Not finished', colour: 'red', head: ['NAME', 'REASON'], row: why },
]

/** Prints the tables. The answer: how many images are not at their end. */
export async function showClosing({ host, places, store, screen }: Stage): Promise<number> {
  const images: Image[] = []
  for (const listed of await listImages(host)) images.push(await describe(host, listed))
  const totals: string[] = []
  for (const { outcome, title, colour, head, row } of SECTIONS) {
    const those = images.filter((image) => image.outcome === outcome)
    if (those.length === 0) continue
    totals.push(countedAs(those.length, outcome))
    const right = [head.indexOf('SIZE')]
    const [first, ...lines] = tableLines([head, ...those.map((image) => row(image, images))], right)
    screen.line()
    screen.line(screen.style('bold', screen.style(colour, title)))
    screen.line(screen.style('dim', `  ${first}`))
    for (const line of lines) screen.line(`  ${line}`)
  }
  screen.line()
  screen.line(screen.style('bold', `${counted(images.length, 'image')}: ${totals.join(', ') || 'nothing was there'}.`))
  screen.line()
  for (const line of tableLines(whereabouts(places, store))) screen.line(line)
  return images.filter(({ outcome }) => outcome === undefined).length
}

const archivedAs = (content: string, all: readonly Image[]) =>
  all.find(({ sha256, outcome }) => sha256 === content && outcome === 'archived')?.name ?? 'what the store had before'

const whereabouts = ({ images, journal }: Places, store: OpenStore) => [
  ['originals', `${images}/images_old`, ''],
  ['refused', `${images}/quarantined`, 'each with its reason beside it'],
  ['outputs', store.place, store.order],
  ['journal', journal, 'every step, in order'],
]
