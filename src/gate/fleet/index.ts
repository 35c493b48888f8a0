/**
 * The gate of several hosts: one row in the database of their ledger, in a schema of its own (`reachback_gate`), so that
 * workspaces in other schemas of the same database share it too. Start reading with `fleet-gate.ts`; `statements.ts` has what
 * is atomic, `shared-state.ts` one worker's view of it. It must not decide anything that `src/core/rate` could.
 */
import { hostname } from 'node:os';
import type { GivenRateConfig } from '../../core/rate/config.ts';
import type { PostgresPlace } from '../../storage/postgres/index.ts';
import { createMachineStore, writePointer } from '../machine-store.ts';
import type { MachineStoreOptions } from '../machine-store.ts';
import type { Gate } from '../types.ts';
import { createFleetGate } from './fleet-gate.ts';
import { FleetStore } from './store.ts';

/**
 * The gate of a worker whose ledger is in a PostgreSQL database. Touches nothing before it is opened.
 *
 * @param machine - the gate of this machine, which it uses together with others of its kind
 * @throws PipelineError `config_invalid`
 */
export function openToHosts(database: PostgresPlace, machine: MachineStoreOptions, config: GivenRateConfig = {}): Gate {
  const { command, workspace, origin, pointer } = machine;
  const who = { pid: process.pid, host: hostname(), command, since: new Date().toISOString(), workspace };
  return createFleetGate({
    identity: machine,
    store: new FleetStore(database, who),
    machine: createMachineStore({ ...machine, shared: true }),
    onOpen: (fleet) => writePointer(pointer, { origin, fleet }),
    config,
  });
}
