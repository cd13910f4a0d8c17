// duramen/systemd: telling systemd, or what speaks like it, how this process is doing.
export type { ServiceManager } from '../../ports/service.ts'
export { type SystemdOptions, systemd } from './systemd.ts'
