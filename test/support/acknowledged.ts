import { expect } from 'vitest'
import type { Receipt } from '../../src/index.ts'

/** What senders were told, by event id: a first receipt, which all later ones must repeat, or the code of a refusal. */
export function acknowledging() {
  const acknowledged = new Map<string, Receipt>()
  const refusals = new Map<string, string>()
  /** `counts`: whether a refusal that comes now does. */
  const hear = (id: string, sent: Promise<Receipt>, counts: () => boolean) => {
    sent.then(
      (receipt) => {
        const first = acknowledged.get(id)
        if (first) expect({ ...receipt, duplicate: false }).toEqual(first)
        else acknowledged.set(id, { ...receipt, duplicate: false })
        refusals.delete(id)
      },
      (error) => {
        if (counts() && !acknowledged.has(id)) refusals.set(id, error.code)
      },
    )
  }
  return { acknowledged, refusals, hear }
}
