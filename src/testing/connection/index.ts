// The contract suite for the port of src/ports/connection.ts.
export { type ConnectionWorld, connectionDriverContract } from './driver-contract.ts'
