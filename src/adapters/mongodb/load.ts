// mongodb is an optional peer: loaded at the first call, so that who needs no database installs none.
import { optional } from '../../ports/optional.ts'

export type Driver = typeof import('mongodb')

/** MISSING_PACKAGE where it is not installed. */
export const loadMongodb = (): Promise<Driver> => optional('mongodb', () => import('mongodb'), 'mongodb@7')
