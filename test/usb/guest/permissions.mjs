// D6 What users call "Error 2": the node may not be opened, or is missing. Nobody has to touch the plug.
import assert from 'node:assert/strict'
import { chmod, rename } from 'node:fs/promises'
import { spawnPeer } from '../../support/usb/peer.mjs'
import { until, withFolder } from './support.mjs'

const NOBODY = 65534

/** A device of a process that is nobody, with the node open to all. */
async function withNobody(reader, use) {
  const { node } = await reader.state()
  await chmod(node, 0o666)
  await withFolder(async (folder) => {
    await chmod(folder, 0o777)
    const peer = spawnPeer({ user: NOBODY })
    try {
      await peer.ask('open', { folder })
      const status = () => peer.ask('diagnosis')
      const comes = (state) => until(state, async () => (await status()).device_status === state && status())
      await comes('online')
      await use({ ...peer, node, comes })
      await peer.ask('close')
    } finally {
      await peer.kill()
    }
  })
}

export const permissionCases = (reader) => [
  {
    name: 'D6 its permissions are lost and restored: denied says whose the node is and what mends it, then it goes on',
    run: () =>
      withNobody(reader, async ({ ask, node, comes }) => {
        await ask('begin', { op: 'capture' })
        assert.equal(await ask('end'), 78_000)
        await chmod(node, 0o000)
        const { access } = await comes('denied')
        assert.equal(access.node, node)
        assert.equal(access.mode, '0000')
        assert.equal(access.owner, 'root:root')
        assert.match(access.rule, /ATTR\{idVendor\}=="1162".*MODE="0660"/)
        await ask('begin', { op: 'capture' })
        await chmod(node, 0o666)
        assert.equal(await ask('end'), 78_000)
      }),
  },
  {
    name: 'D6 D7 enumerated anew, its node belongs to root again: denied, then it goes on',
    run: () =>
      withNobody(reader, async ({ ask, comes }) => {
        const { node } = await reader.cycle(100)
        await comes('denied')
        await ask('begin', { op: 'capture' })
        await chmod(node, 0o666)
        assert.equal(await ask('end'), 78_000)
      }),
  },
  {
    name: 'D6 D7 enumerated anew, its node is missing as in a container: denied says so, then it goes on',
    run: () =>
      withNobody(reader, async ({ ask, comes }) => {
        await reader.detach()
        await comes('disconnected')
        const { node } = await reader.attach()
        await rename(node, `${node}.away`)
        const { access } = await until('the node is missing', async () => {
          const diagnosis = await comes('denied')
          return diagnosis.access?.mode === null && diagnosis
        })
        assert.equal(access.node, node)
        await ask('begin', { op: 'capture' })
        await rename(`${node}.away`, node)
        await chmod(node, 0o666)
        assert.equal(await ask('end'), 78_000)
      }),
  },
  {
    name: 'no USB at all: USB_ABSENT, and watching throws nothing',
    async run() {
      const peer = spawnPeer({
        within: ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /sys/bus && exec "$0" "$@"'],
      })
      await peer.ask('driver')
      await peer.ask('watch')
      await assert.rejects(peer.ask('access'), { code: 'USB_ABSENT' })
      await assert.rejects(peer.ask('connect'), { code: 'USB_ABSENT' })
      assert.deepEqual(await peer.ask('told'), [])
      await peer.kill()
    },
  },
]
