// Disks of their own for tests: a small one in memory, and one whose power can be cut, ext4 in a file. A cut is what the kernel offers for the tests of its
// own file systems: from then on nothing more reaches the disk, and what only the page cache has is gone.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { newFolder } from './folder.ts'

/** ioctl(folder, EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH); perl is on nearly every Linux. */
const CUT = 'open(my $f, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($f, 0x8004587D, $how) or die $!'

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })

function format(image: string, mebibytes: number): void {
  run('mkfs.ext4', '-q', '-F', '-b', '4096', image, `${mebibytes}M`)
}

/** Waits until nobody has it mounted: a mount namespace that began meanwhile, as another test's, would give back the disk that was cut. */
function released(image: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let left = 600; execFileSync('losetup', ['-j', image]).length > 0; left--) {
    if (left === 0) throw new Error(`somebody still has ${image} mounted`)
    Atomics.wait(pause, 0, 0, 50)
  }
}

export interface Disk {
  /** Where it is mounted. */
  readonly path: string
  /** Nothing reaches the disk any more. */
  cut(): void
  /** Mounts it again, with what was on it when it was cut. Nobody may have a file of it open. */
  restart(): void
}

/** Why there can be no such disk here; undefined where there can. */
export function noDisk(): string | undefined {
  if (noSmallDisk !== undefined) return 'a power cut needs Linux and root'
  const folder = mkdtempSync(join(tmpdir(), 'duramen-disk-'))
  const image = join(folder, 'image')
  let mounted = false
  try {
    format(image, 16)
    run('mount', '-o', 'loop', image, folder)
    mounted = true
    run('perl', '-e', CUT, folder)
    run('losetup', '-j', image)
    return undefined
  } catch (error) {
    return `a power cut needs ext4 on a loop device, and perl: ${(error as Error).message.trim()}`
  } finally {
    if (mounted) run('umount', '-l', folder)
    rmSync(folder, { recursive: true })
  }
}

/** An empty disk that is there until the test ends. */
export async function newDisk(mebibytes = 64): Promise<Disk> {
  const folder = await newFolder()
  const path = join(folder, 'disk')
  const image = join(folder, 'image')
  await mkdir(path)
  format(image, mebibytes)
  const mount = () => run('mount', '-o', 'loop,errors=remount-ro', image, path)
  mount()
  let mounted = true
  onTestFinished(() => {
    if (mounted) run('umount', '-l', path)
  })
  return {
    path,
    cut: () => {
      run('perl', '-e', CUT, path)
    },
    restart() {
      run('umount', path)
      mounted = false
      released(image)
      mount()
      mounted = true
    },
  }
}

/** Why there can be no small disk here; undefined where there can. */
export const noSmallDisk =
  process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'full and read-only disks need Linux and root'

/** A file system in memory, of that size, that is there until the test ends. */
export async function smallDisk(options: string): Promise<string> {
  const path = join(await newFolder(), 'disk')
  await mkdir(path)
  run('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path)
  onTestFinished(() => {
    run('umount', '-l', path)
  })
  return path
}
