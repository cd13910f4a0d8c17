// What `duramen/process` offers: programs that are looked after, and how their supervisor is asked.
export type { Child, ChildOrder, ChildRunner, Exit, SupervisorProblem, SupervisorStatus } from '../../ports/child.ts'
export { type AskControlOptions, askControl, type ControlRequest } from './control.ts'
export { type ChildRunnerOptions, childRunner } from './runner.ts'
