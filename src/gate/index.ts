/**
 * The gate: the one place that decides when the next request to the source may leave (design §3). One per origin and
 * credential on a machine: `gate.ts` holds the state and the clock of the rules in `src/core/rate`, a `GateStore`
 * (`machine-store.ts`) the right to ask and what outlives the process. Hosts with one ledger share a gate in its database
 * (`fleet/`). It must not know HTTP beyond two header values, nor what is asked. Start reading with `gate.ts`.
 */
export { createGate } from './gate.ts';
export { createMachineStore } from './machine-store.ts';
export type { MachineStoreOptions } from './machine-store.ts';
export { openToHosts } from './fleet/index.ts';
export { readGateReport } from './report.ts';
export type { GateReport } from './report.ts';
export type { Gate, GateState, GateStats, GateStore, Permit, RunReceipt } from './types.ts';
export type { Clock } from './clock.ts';
