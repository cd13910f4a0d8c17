// Arguments, exit codes, and what is said when something is missing.
import { exec } from 'node:child_process'
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { duramen, folder, start } from './command.ts'

describe('duramen', () => {
  it.each([
    [['--help'], /^Usage: duramen/],
    [['demo', '--help'], /--slow <ms>/],
    [['--version'], /^\d+\.\d+\.\d+\n$/],
  ])('%j answers and exits with 0', async (args, said) => {
    const { code, stdout, stderr } = await duramen(...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(said)
  })

  it.each([
    [[]],
    [['nonsense']],
    [['demo', '--nonsense']],
    [['demo', 'one', 'two']],
    [['demo', '--slow', 'down']],
    [['demo', '--slow', '-1']],
  ])('%j is refused with the usage and 2', async (args) => {
    const { code, stdout, stderr } = await duramen(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/Usage: duramen/)
  })

  it('names what is wrong with FOLDER, makes nothing, and exits with 1', async () => {
    const dir = await folder()
    const data = join(dir, 'data')
    await writeFile(join(dir, 'file'), '')
    for (const [given, said] of [
      ['missing', /^duramen: there is no folder .*missing\n {2}\S.*\n$/],
      ['file', /^duramen: .*file is no folder\n {2}\S.*\n$/],
    ] as const) {
      const { code, stdout, stderr } = await duramen('demo', join(dir, given), '--data', data)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(said)
    }
    await mkdir(join(data, 'images'), { recursive: true })
    const { code, stderr } = await duramen('demo', join(data, 'images'), '--data', data)
    expect(code).toBe(1)
    expect(stderr).toContain("the demo's own")
    expect(await readdir(dir)).toEqual(['data', 'file'])
  })

  it('ends without a stack when nobody reads on', async () => {
    const data = await folder()
    const command = `"${process.execPath}" dist/cli/main.js demo --data "${data}" | head -1`
    const { stdout, stderr } = await promisify(exec)(command)
    expect(stdout).toMatch(/^Made 11 sample files.*\n$/)
    expect(stderr).toBe('')
  })

  it('names the command that installs a missing package', async () => {
    const dir = await folder()
    await cp('dist', join(dir, 'dist'), { recursive: true })
    await cp('package.json', join(dir, 'package.json'))
    await mkdir(join(dir, 'node_modules'))
    for (const name of await readdir('node_modules'))
      if (name !== 'sharp') await symlink(resolve('node_modules', name), join(dir, 'node_modules', name))
    const data = join(dir, 'data')
    const { code, stdout, stderr } = await start(['demo', '--data', data], { main: join(dir, 'dist/cli/main.js') })
      .ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('the package sharp cannot be loaded')
    expect(stderr).toMatch(/\n {2}Run: npm install sharp zxing-wasm\n$/)
    expect(await readdir(dir)).not.toContain('data')
  })
})
