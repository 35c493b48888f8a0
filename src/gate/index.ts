/**
 * The gate: the one place that decides when the next request to the source may leave (design §3). One per process, shared
 * by all days. It holds the state and the clock of the rules in `src/core/rate`; it must not know HTTP beyond two header
 * values, nor what is asked. Start reading with `gate.ts`.
 */
export { createGate } from './gate.ts';
export type { Gate, GateState, Permit } from './types.ts';
export type { Clock } from './clock.ts';
