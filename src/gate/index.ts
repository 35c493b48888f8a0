/**
 * The gate: the one place that decides when the next request to the source may leave (design §3). One per origin and
 * credential on a machine: `gate.ts` holds the state and the clock of the rules in `src/core/rate`, a `GateStore`
 * (`machine-store.ts`) the right to ask and what outlives the process. It must not know HTTP beyond two header values, nor
 * what is asked. Start reading with `gate.ts`.
 */
export { createGate } from './gate.ts';
export { createMachineStore, readGateReport } from './machine-store.ts';
export type { GateReport } from './machine-store.ts';
export type { Gate, GateState, GateStats, GateStore, Permit, RunReceipt } from './types.ts';
export type { Clock } from './clock.ts';
