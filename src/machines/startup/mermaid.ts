// S8 The graph of a start-up as Mermaid draws it. Nodes go by number, for ids may contain anything.

/** What is drawn of a task. */
export interface DrawnTask {
  readonly id: string
  readonly needs: readonly string[]
  readonly state?: string
  readonly once?: boolean
  readonly critical?: boolean
}

const LOOKS: Record<string, string> = {
  running: 'fill:#dbeafe,stroke:#2563eb',
  retrying: 'fill:#fef3c7,stroke:#d97706',
  done: 'fill:#dcfce7,stroke:#16a34a',
  skipped: 'fill:#f0fdf4,stroke:#86efac',
  failed: 'fill:#fee2e2,stroke:#dc2626',
  aborted: 'fill:#fee2e2,stroke:#f87171',
  blocked: 'fill:#f3f4f6,stroke:#9ca3af',
  stopping: 'fill:#ede9fe,stroke:#7c3aed',
  stopped: 'fill:#f3f4f6,stroke:#6b7280',
}
const OPTIONAL = 'stroke-dasharray:4'

/** A flowchart: what runs once is drawn as a cylinder, what is not critical with a dashed line, states by colour. */
export function mermaidOf(tasks: readonly DrawnTask[]): string {
  const node = new Map(tasks.map(({ id }, at) => [id, `t${at}`]))
  const lines = tasks.map(({ id, once }) => `${node.get(id)}${once ? `[("${labelOf(id)}")]` : `["${labelOf(id)}"]`}`)
  for (const { id, needs } of tasks) for (const need of needs) lines.push(`${node.get(need)} --> ${node.get(id)}`)
  const classes = { ...LOOKS, optional: OPTIONAL }
  for (const [name, look] of Object.entries(classes)) {
    const members = tasks.filter(({ state, critical }) => (name === 'optional' ? critical === false : state === name))
    if (members.length === 0) continue
    lines.push(`classDef ${name} ${look}`, `class ${members.map(({ id }) => node.get(id)).join(',')} ${name}`)
  }
  return ['flowchart LR', ...lines.map((line) => `  ${line}`)].join('\n')
}

/** Any text as a label: what could mean something to Mermaid, or to the Markdown in it, goes by its number. */
const labelOf = (text: string) =>
  text.replace(/\p{Cc}/gu, ' ').replace(/[^\p{L}\p{M}\p{N} _:/@-]/gu, (mark) => `#${mark.codePointAt(0)};`)
