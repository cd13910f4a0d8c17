// A history that would grow for ever is replaced by its end, again and again.
import type { DuramenError } from '../ports/errors.ts'
import type { DurableActor } from '../runtime/actor.ts'
import type { DurableMachine } from '../runtime/durable.ts'
import type { Host } from '../runtime/host.ts'

/**
 * Has the records of an instance replaced by a checkpoint whenever there are `most` of them. What stands in the way of one is
 * logged, and it is tried again after as many. The returned function ends that.
 */
export async function keepShort(
  host: Host,
  machine: DurableMachine<any>,
  actor: DurableActor<any>,
  most: number,
): Promise<() => void> {
  let commits = await commitsOf(actor)
  let trimming = false
  const count = async () => {
    if (++commits < most || trimming) return
    const why = `its history has ${commits} commits`
    trimming = true
    commits = 0
    try {
      await host.trim(machine, actor.id, { who: machine.id, why })
    } catch (error) {
      if ((error as DuramenError).code === 'CLOSED') return // the next process goes on with it
      host.logger.warn(`${machine.id}/${actor.id}: its history could not be shortened`, error as object)
    } finally {
      trimming = false
    }
  }
  const counting = actor.subscribe(() => void count())
  return () => counting.unsubscribe()
}

async function commitsOf(actor: DurableActor<any>): Promise<number> {
  const { seq } = await actor.info()
  for await (const first of actor.history()) return seq - first.seq + 1
  return 0
}
