import { expect, test } from 'vitest'
import { mermaidOf } from '../../src/machines/startup/mermaid.ts'

test('S8 the graph is drawn: nodes by number, what runs once as a cylinder, what is not critical dashed, states by colour', () => {
  const drawn = mermaidOf([
    { id: 'model', needs: [], state: 'done' },
    { id: 'seed_roles', needs: ['model'], state: 'skipped', once: true },
    { id: 'metrics', needs: [], state: 'failed', critical: false },
    { id: 'server', needs: ['model', 'seed_roles'], state: 'waiting', critical: true },
  ])
  expect(drawn).toBe(`flowchart LR
  t0["model"]
  t1[("seed_roles")]
  t2["metrics"]
  t3["server"]
  t0 --> t1
  t0 --> t3
  t1 --> t3
  classDef done fill:#dcfce7,stroke:#16a34a
  class t0 done
  classDef skipped fill:#f0fdf4,stroke:#86efac
  class t1 skipped
  classDef failed fill:#fee2e2,stroke:#dc2626
  class t2 failed
  classDef optional stroke-dasharray:4
  class t2 optional`)
})

test('S8 a task may be called anything: nothing of its name is taken for Mermaid', () => {
  const ids = [
    'end',
    '"]; click t0 "javascript:alert(1)"',
    'a\nb',
    '`x`',
    '<b>',
    '#quot;',
    '%%{init}%%',
    '1. first',
    'semilla año 日本 🚀',
  ]
  const lines = mermaidOf(ids.map((id) => ({ id, needs: [] }))).split('\n')
  expect(lines).toHaveLength(1 + ids.length)
  expect(lines[1]).toBe('  t0["end"]')
  for (const line of lines.slice(1)) expect(line).toMatch(/^ {2}t\d\["([\p{L}\p{M}\p{N} _:/@-]|#\d+;)*"\]$/u)
  const read = lines
    .slice(1)
    .map((line) =>
      line.slice(line.indexOf('"') + 1, -2).replace(/#(\d+);/g, (_, mark) => String.fromCodePoint(Number(mark))),
    )
  expect(read).toEqual(ids.map((id) => id.replace('\n', ' ')))
})

test('S8 no tasks, no nodes', () => {
  expect(mermaidOf([])).toBe('flowchart LR')
})
