import type { Gate } from './types.ts';

/** The gate as one run sees it: with a place of its own in the line and figures of its own, the rest is everybody's. */
export function gateOfRun(gate: Gate, own: Pick<Gate, 'acquire' | 'snapshot'>): Gate {
  return {
    ...own,
    config: gate.config,
    open: () => gate.open(),
    close: () => gate.close(),
    forRun: (other) => gate.forRun(other),
    keep: () => gate.keep(),
    refusal: () => gate.refusal(),
    failPass: () => gate.failPass(),
    closeIncident: (id) => gate.closeIncident(id),
  };
}
