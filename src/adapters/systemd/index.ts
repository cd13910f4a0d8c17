// duramen/systemd: telling systemd, or what speaks like it, how this process is doing.
export { type SystemdOptions, systemd } from './systemd.ts'
