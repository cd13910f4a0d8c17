// V3 `duramen diagnose --deploy`: what a deployment's files leave out, by file and line. And the judgements that need no machine.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deployFindings } from '../../src/cli/diagnose/deploy/deploy.ts'
import { cpuFinding, diskFinding, memoryFinding } from '../../src/cli/diagnose/machine.ts'
import { usbFindings } from '../../src/cli/diagnose/usb.ts'
import { fits } from '../../src/cli/diagnose/versions.ts'
import { inactiveFile, statsOf } from '../../src/cli/probes/memory.ts'
import { folder, start } from './command.ts'

const GOOD = {
  Dockerfile: `FROM node:22 AS build
USER root
CMD npm run build
FROM node:22-slim
USER node
HEALTHCHECK --interval=30s --timeout=10s \\
  --start-period=30s --retries=3 CMD ["node", "health.js"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "server.js"]
`,
  'compose.yaml': `services:
  app:
    build: .
    init: true
    restart: unless-stopped   # for good
    stop_grace_period: 60s
    volumes:
      - /dev/bus/usb:/dev/bus/usb
    device_cgroup_rules:
      - 'c 189:* rmw'
  db:
    image: mongo
`,
  'app.service': `[Unit]
Description=app
[Service]
Type=notify
NotifyAccess=all
WatchdogSec=60
KillMode=mixed
Restart=on-failure
ExecStart=/usr/bin/node server.js
`,
}

const found = (texts: Record<string, string>) => {
  const of = (pattern: RegExp) =>
    Object.entries(texts).flatMap(([file, text]) => (pattern.test(file) ? [{ file, text }] : []))
  return deployFindings({ dockerfiles: of(/^Dockerfile/), composes: of(/yaml$/), units: of(/service$/) }).map(
    ({ level, what, where }) => `${level} ${where?.file}:${where?.line ?? ''} ${what}`,
  )
}

describe('V3 a deployment', () => {
  it('that is as it should be', () => {
    expect(found(GOOD)).toEqual(Object.keys(GOOD).map((file) => `ok ${file}: is as it should be`))
  })

  it.each<[keyof typeof GOOD, string | RegExp, string, string]>([
    ['Dockerfile', /HEALTHCHECK.*\n.*\n/, '', 'warn Dockerfile:1 has no HEALTHCHECK'],
    ['Dockerfile', '--start-period=30s', '', 'warn Dockerfile:6 HEALTHCHECK has no --start-period'],
    ['Dockerfile', 'USER node\n', '', 'warn Dockerfile:1 runs as root'],
    ['Dockerfile', 'USER node', 'USER 0:0', 'warn Dockerfile:5 runs as root'],
    [
      'Dockerfile',
      'CMD ["node", "server.js"]',
      'CMD node server.js',
      'fail Dockerfile:9 CMD is in shell form: its program gets no SIGTERM',
    ],
    [
      'Dockerfile',
      '["node", "server.js"]',
      '["npm", "start"]',
      'warn Dockerfile:9 CMD goes through a package manager, which stands between it and SIGTERM',
    ],
    [
      'compose.yaml',
      'restart: unless-stopped',
      'restart: "no"',
      'warn compose.yaml:5 app: is not restarted when it ends',
    ],
    [
      'compose.yaml',
      'stop_grace_period',
      'stop_signal',
      'warn compose.yaml:2 app: is killed after 10 s of its shutdown',
    ],
    [
      'compose.yaml',
      /\n {4}device_cgroup_rules.*\n.*/,
      '',
      'fail compose.yaml:8 app: has /dev/bus/usb, but not the right to it',
    ],
    [
      'compose.yaml',
      '/dev/bus/usb:/dev/bus/usb',
      '/dev/bus/usb/001/004:/dev/bus/usb/001/004',
      'fail compose.yaml:8 app: names one USB node, which has another number after each re-plug',
    ],
    [
      'compose.yaml',
      'init: true',
      'privileged: true',
      'warn compose.yaml:4 app: is privileged: it may do all that the machine may',
    ],
    [
      'app.service',
      'Type=notify',
      'Type=simple',
      'warn app.service:4 Type=simple: counts as ready as soon as it is begun',
    ],
    [
      'app.service',
      'KillMode=mixed\n',
      '',
      'warn app.service:3 no KillMode: SIGTERM goes to all of its processes at once',
    ],
    [
      'app.service',
      'WatchdogSec=60',
      'WatchdogSec=0',
      'warn app.service:6 WatchdogSec=0: is not restarted when its event loop is stuck',
    ],
  ])('%s with %s made %j', (file, from, to, said) => {
    const wrong = found({ ...GOOD, [file]: GOOD[file].replace(from, to) }).filter((line) => !line.startsWith('ok'))
    expect(wrong).toEqual([said])
  })

  it('what says the same in another way is as it should be', () => {
    const other = {
      ...GOOD,
      Dockerfile: GOOD.Dockerfile.replace('CMD ["node", "server.js"]', 'CMD exec node server.js').replace(
        /ENTRYPOINT.*\n/,
        '',
      ),
    }
    expect(found(other).filter((line) => !line.startsWith('ok'))).toEqual([])
    const refused = GOOD['compose.yaml'].replace(/device_cgroup_rules:\n.*/, 'privileged: false')
    expect(found({ ...GOOD, 'compose.yaml': refused }).join()).toContain('but not the right to it')
    expect(found({ ...GOOD, 'compose.yaml': refused }).join()).not.toContain('is privileged')
  })

  it('compose.override.yaml is laid over its file: what each says counts for both, and is found where it stands', () => {
    const rest = GOOD['compose.yaml'].replace(/ {4}restart.*\n/, '')
    const over = 'services:\n    app:\n        restart: unless-stopped\n'
    const bad = (files: object) => found({ ...GOOD, ...files } as never).filter((line) => !line.startsWith('ok'))
    expect(bad({ 'compose.yaml': rest, 'compose.override.yaml': over })).toEqual([])
    expect(bad({ 'compose.override.yaml': over.replace('unless-stopped', '"no"') })).toEqual([
      'warn compose.override.yaml:3 app: is not restarted when it ends',
    ])
  })

  it('process 1: without tini or init in either file, both say so', () => {
    const bare = {
      Dockerfile: GOOD.Dockerfile.replace(/ENTRYPOINT.*\n/, ''),
      'compose.yaml': GOOD['compose.yaml'].replace('    init: true\n', ''),
    }
    expect(found(bare)).toEqual([
      'warn Dockerfile:8 process 1 takes no care of orphans',
      'warn compose.yaml:2 app: process 1 takes no care of orphans',
    ])
    expect(found({ ...bare, 'compose.yaml': GOOD['compose.yaml'] }).join()).not.toContain('process 1')
  })

  it('in a folder, by the command: file and line, and exit code 1', async () => {
    const cwd = await folder()
    for (const [file, text] of Object.entries(GOOD)) await writeFile(join(cwd, file), text)
    await writeFile(join(cwd, 'Dockerfile'), 'FROM node\nCMD node server.js\n')
    const { code, stdout } = await start(['diagnose', '--deploy'], { cwd }).ended
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^fail {2}deploy {8}Dockerfile:2 CMD is in shell form: .* → write CMD \["node", "server\.js"\]$/m,
    )
    expect(stdout).toMatch(/^ok {4}deploy {8}compose\.yaml is as it should be$/m)
  })
})

describe('V3 judgements', () => {
  it.each<[string, string, boolean | undefined]>([
    ['1.2.3', '^1.2.0', true],
    ['2.0.0', '^1.2.0', false],
    ['0.3.0', '^0.2.5', false],
    ['0.0.4', '^0.0.3', false],
    ['0.2.9', '^0.2.5', true],
    ['1.3.0', '~1.2.3', false],
    ['1.9.9', '1.x', true],
    ['20.19.0', '>=20.19.0', true],
    ['20.18.9', '>= 20.19.0', false],
    ['22.0.0', '^20.19.0 || >=22.12.0', false],
    ['1.5.0', '1.2 - 2', true],
    ['3.0.0', '1.2 - 2', false],
    ['1.2.4', '1.2.3', false],
    ['2.0.0', '>1', true],
    ['1.9.0', '>1', false],
    ['5.0.0-beta.1', '^5.0.0', true],
    ['1.0.0', '*', true],
    ['1.0.0', '', true],
    ['1.0.0', 'workspace:*', undefined],
    ['1.0.0', 'github:a/b', undefined],
    ['1.0.0', 'latest', undefined],
  ])('%s in %j: %s', (version, range, expected) => {
    expect(fits(version, range)).toBe(expected)
  })

  it('processor, memory and disk', () => {
    const level = [
      cpuFinding(89, 4),
      cpuFinding(99, 4),
      memoryFinding({ available: 20, total: 100, constrained: false }),
      memoryFinding({ available: 9, total: 100, constrained: true }),
      memoryFinding({ available: 1, total: 100, constrained: true }),
      diskFinding({ folders: ['.'], free: 50e9, size: 100e9, files: 1000 }),
      diskFinding({ folders: ['.'], free: 5e9, size: 100e9, files: undefined }),
      diskFinding({ folders: ['.'], free: 1e9, size: 100e9, files: undefined }),
      diskFinding({ folders: ['.'], free: 50e9, size: 100e9, files: 0 }),
      diskFinding({ folders: ['.'], free: 60e9, size: 4e12, files: undefined }),
    ].map((finding) => finding.level)
    expect(level).toEqual(['ok', 'warn', 'ok', 'warn', 'fail', 'ok', 'warn', 'fail', 'fail', 'warn'])
  })

  it("a container's memory: files that it has read are given away when there is need", () => {
    expect(statsOf('0::/\n')).toEqual(['/sys/fs/cgroup/memory.stat'])
    expect(statsOf('0::/system.slice/app.service\n')).toEqual([
      '/sys/fs/cgroup/system.slice/app.service/memory.stat',
      '/sys/fs/cgroup/memory.stat',
    ])
    expect(statsOf('12:cpu,memory:/docker/1\n1:name=systemd:/\n')).toEqual([
      '/sys/fs/cgroup/memory/docker/1/memory.stat',
      '/sys/fs/cgroup/memory/memory.stat',
    ])
    expect(inactiveFile('anon 1\ninactive_file 20\nactive_file 3\n')).toBe(20)
    expect(inactiveFile('inactive_file 4\ntotal_inactive_file 50\n')).toBe(50)
    expect(inactiveFile('')).toBeUndefined()
  })

  it('D6 USB: what is asked for is there, open, or how to get at it', () => {
    const reader = { vendor: 0x1162, product: 0x2201 }
    const at = (access: object) =>
      ({ ...reader, name: '1162:2201 Reader', node: '/dev/bus/usb/001/004', access }) as never
    const rule = 'SUBSYSTEM=="usb", MODE="0660"'
    const said = [
      ...usbFindings([reader], undefined),
      ...usbFindings([reader], [at({ state: 'granted', node: 'n' })]),
      ...usbFindings([reader], [at({ state: 'denied', node: 'n', owner: 'root:root', mode: '0600', rule })]),
      ...usbFindings([reader], [at({ state: 'denied', node: 'n', owner: 'root:root', mode: '0666', rule: null })]),
      ...usbFindings([reader], [at({ state: 'denied', node: 'n', owner: null, mode: null, rule })]),
    ]
    expect(said.map(({ level }) => level)).toEqual(['fail', 'ok', 'fail', 'fail', 'fail'])
    expect(said[2]!.next).toContain(rule)
    expect(said[3]!.next).toContain('device_cgroup_rules')
    expect(said[4]!.what).toContain('has no node')
    expect(usbFindings([], [])).toMatchObject([{ level: 'ok' }])
  })
})
