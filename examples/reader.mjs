// A fingerprint reader that never has to be replugged: capture on Enter, the picture saved and shown.
//
// In a project of yours:   npm install duramen xstate rxjs usb
//                          node reader.mjs [--simulate]
// In a clone of duramen:   npm ci && npm run build && node examples/reader.mjs [--simulate]
//
// The reader is 1162:2201 with a protocol that is an invention of ours (docs/DEVICE.md says how to plug in a vendor's); with
// --simulate it is in this process, and there are keys that pull its plug or make it stall. Without a terminal it captures
// once, prints where the picture is, and ends.
import { mkdir, writeFile } from 'node:fs/promises'
import { emitKeypressEvents } from 'node:readline'
import { crc32, deflateSync } from 'node:zlib'
import { openHost } from 'duramen'
import { fileJournal } from 'duramen/journal'
import { createDevice } from 'duramen/machines'
import { readerProtocol, simulatedDriver, usbDriver } from 'duramen/usb'

const simulate = process.argv.includes('--simulate')
const driver = simulate
  ? simulatedDriver({ faults: { delay: 100 } })
  : usbDriver({ vendor: 0x1162, product: 0x2201, protocol: readerProtocol })

await mkdir('reader', { recursive: true })
const host = await openHost({ journal: await fileJournal('reader/journal') })
const device = await createDevice(host, { driver, id: 'reader' })

async function capture() {
  const image = await device.capture()
  const path = `reader/${new Date().toISOString().replace(/[:.]/g, '-')}.png`
  await writeFile(path, png(image))
  return { image, path }
}

async function leave() {
  await device.close()
  await host.close()
}

if (process.stdin.isTTY && process.stdout.isTTY) {
  let led = false
  let plugged = true
  const tell = (line) => process.stdout.write(`\r\x1b[K${line}\n`)
  /** The live line at the bottom. */
  const status = (d) => {
    const { device_status, activity, operation_count, operations_until_refresh, queue_length, recoveries } = d
    const doing = activity && activity !== 'idle' ? ` (${activity})` : ''
    const error = d.last_error ? `, last: ${d.last_error.code}` : ''
    const line = `${device_status}${doing}  ${operation_count} done, refresh in ${operations_until_refresh}, ${queue_length} wait, ${recoveries} recoveries${error}`
    process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`)
  }
  const keys = {
    async return() {
      const { image, path } = await capture()
      tell(`${shown(image)}\n${path}`)
    },
    l: () => device.led((led = !led)),
    ...(simulate && {
      u: () => ((plugged = !plugged) ? driver.reader.plug() : driver.reader.unplug()),
      s: () => Object.assign(driver.reader.faults, { halted: true, stubborn: 4 }),
    }),
    async q() {
      process.stdin.pause()
      await leave()
      tell('')
    },
  }
  tell(`Enter: capture, l: LED, ${simulate ? 'u: pull the plug or put it in, s: stall, ' : ''}q: quit`)
  device.status$.subscribe(status)
  emitKeypressEvents(process.stdin)
  process.stdin.setRawMode(true)
  process.stdin.on('keypress', async (_, { name, ctrl }) => {
    try {
      await keys[ctrl && name === 'c' ? 'q' : name]?.()
    } catch ({ message, hint }) {
      tell(`${message}${hint ? `\n${hint}` : ''}`)
    }
    status(device.diagnosis())
  })
} else {
  try {
    console.log((await capture()).path)
  } catch ({ message, hint }) {
    console.error(`${message}${hint ? `\n${hint}` : ''}`)
    process.exitCode = 1
  }
  await leave()
}

/** A PNG of one grey byte a pixel. */
function png({ width, height, pixels }) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0])
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  const rows = Buffer.alloc((width + 1) * height) // each begins with 0: no filter
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** The picture as the terminal can show it: kitty's protocol, iTerm2's, else half blocks. */
function shown(image) {
  const { TERM = '', TERM_PROGRAM = '' } = process.env
  const data = png(image).toString('base64')
  if (/kitty|ghostty/.test(TERM + TERM_PROGRAM)) {
    const parts = data.match(/.{1,4096}/g)
    return parts
      .map((part, at) => `\x1b_G${at ? '' : 'a=T,f=100,'}m=${at < parts.length - 1 ? 1 : 0};${part}\x1b\\`)
      .join('')
  }
  if (/iTerm|WezTerm/.test(TERM_PROGRAM)) return `\x1b]1337;File=inline=1:${data}\x07`
  return halfBlocks(image, Math.min(process.stdout.columns || 80, 64))
}

function halfBlocks({ width, height, pixels }, columns) {
  const rows = Math.round((columns * height) / width / 2) * 2
  const grey = (x, y) => pixels[Math.floor((y * height) / rows) * width + Math.floor((x * width) / columns)]
  const lines = []
  for (let y = 0; y < rows; y += 2) {
    let line = ''
    for (let x = 0; x < columns; x++) {
      const [top, bottom] = [grey(x, y), grey(x, y + 1)].map((value) => `${value};${value};${value}`)
      line += `\x1b[38;2;${top};48;2;${bottom}m▀`
    }
    lines.push(`${line}\x1b[0m`)
  }
  return lines.join('\n')
}
