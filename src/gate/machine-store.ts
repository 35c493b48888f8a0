/** The gate of this machine: its lock, held by the kernel for one process, and its state file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLOSED_BREAKER } from '../core/rate/breaker.ts';
import { acquireLock, inspectLock } from '../storage/lock.ts';
import type { HeldLock, LockHolder } from '../storage/lock.ts';
import { writeFileAtomically } from '../storage/atomic-file.ts';
import { PRIVATE_FILE, gateFolder } from './place.ts';
import type { GateIdentity } from './place.ts';
import { StateFile, readStateFile } from './state-file.ts';
import type { GateState, GateStore, KeptGateState, Receipts } from './types.ts';

const LOCK_NAME = 'lock.db';
const STATE_NAME = 'state.db';

/** Pause after a state that was lost: it may have held one. As long as our own after a 429 without a time. */
const PAUSE_AFTER_LOSS_MS = 30_000;

export interface MachineStoreOptions extends GateIdentity {
  /** `$XDG_STATE_HOME`, absolute. */
  readonly stateHome: string;
  /** What runs, as typed, and for which workspace: told to others who want the gate. */
  readonly command: string;
  readonly workspace: string;
  /** Rate to begin with when a damaged state was lost, requests per second. */
  readonly initialRate: number;
  /** A file that is to name the gate's folder once it is in use; read by `readGateReport`. */
  readonly pointer: string;
  readonly onNotice: (notice: string) => void;
}

/** Touches nothing before it is opened: a run that has nothing to download needs no gate. */
export function createMachineStore(options: MachineStoreOptions): GateStore {
  return new MachineStore(options);
}

class MachineStore implements GateStore {
  place: string;
  readonly #options: MachineStoreOptions;
  #lock: HeldLock | null = null;
  #file: StateFile | null = null;

  constructor(options: MachineStoreOptions) {
    this.#options = options;
    this.place = options.stateHome;
  }

  async open(): Promise<KeptGateState | null> {
    const { origin, command, workspace, onNotice, pointer } = this.#options;
    this.place = await gateFolder(this.#options.stateHome, this.#options);
    const lock = await acquireLock({
      path: join(this.place, LOCK_NAME),
      subject: `The gate of ${origin} for these credentials`,
      command,
      workspace,
      heldKind: 'gate_held',
      mode: PRIVATE_FILE,
    });
    try {
      const { file, row, damaged } = StateFile.open(join(this.place, STATE_NAME));
      this.#file = file;
      await writeFileAtomically(pointer, `${JSON.stringify({ origin, folder: this.place })}\n`);
      this.#lock = lock;
      if (damaged) {
        onNotice(
          `The gate's state was damaged; it is kept as ${this.place}/${STATE_NAME}.damaged. First a pause of 30 s.`,
        );
        return this.#afterLoss();
      }
      return row && { state: row.state, keptMs: row.keptMs, elapsedMs: Math.max(0, Date.now() - row.wallMs) };
    } catch (error) {
      this.#file?.close();
      this.#file = null;
      lock.release();
      throw error;
    }
  }

  save(state: GateState, keptMs: number): void {
    this.#file?.save({ state, keptMs, wallMs: Date.now() });
  }

  close(): Promise<void> {
    this.#file?.close();
    this.#file = null;
    this.#lock?.release();
    this.#lock = null;
    return Promise.resolve();
  }

  #afterLoss(): KeptGateState {
    const why = 'what an earlier run learnt about the source was lost';
    return {
      state: {
        pace: { rate: this.#options.initialRate, lastPermitMs: null },
        cooldown: { untilMs: PAUSE_AFTER_LOSS_MS, setMs: 0, inARow: 0, why },
        breaker: CLOSED_BREAKER,
        receipts: { total: { requests: 0, rateLimited: 0, secondsWaited: 0, worstSecond: 0 }, runs: [] },
      },
      keptMs: 0,
      elapsedMs: 0,
    };
  }
}

/** What others may read about a gate. Times are ISO 8601 UTC. */
export interface GateReport {
  readonly origin: string;
  /** Requests per second allowed now. */
  readonly rate: number;
  readonly cooldown: { readonly until: string; readonly why: string } | null;
  readonly incident: {
    readonly id: string;
    readonly reason: string;
    readonly since: string;
    readonly why: string;
  } | null;
  /** Who may send requests now; null when nobody downloads. */
  readonly holder: LockHolder | null;
  readonly receipts: Receipts;
}

/**
 * The gate that a workspace used last, as its state was kept at most a second ago. Writes nothing.
 *
 * @param pointer - the file that names the gate, see `MachineStoreOptions`
 * @returns null when the workspace has used none, or it cannot be read
 */
export async function readGateReport(pointer: string): Promise<GateReport | null> {
  let named: { origin?: unknown; folder?: unknown };
  try {
    named = JSON.parse(await readFile(pointer, 'utf8')) as typeof named;
  } catch {
    return null;
  }
  const { origin, folder } = named;
  if (typeof origin !== 'string' || typeof folder !== 'string') return null;
  const row = readStateFile(join(folder, STATE_NAME));
  if (!row) return null;
  const { pace, cooldown, breaker, receipts } = row.state;
  // To the second: the two clocks differ by fractions of a millisecond from save to save.
  const wall = (ms: number): number => Math.round((row.wallMs + (ms - row.keptMs)) / 1_000) * 1_000;
  const until = wall(cooldown.untilMs);
  const { incident } = breaker;
  return {
    origin,
    rate: pace.rate,
    cooldown: until > Date.now() ? { until: new Date(until).toISOString(), why: cooldown.why } : null,
    incident: incident && {
      id: incident.id,
      reason: incident.reason,
      since: new Date(wall(incident.openedMs)).toISOString(),
      why: incident.why,
    },
    holder: inspectLock(join(folder, LOCK_NAME)).holder,
    receipts,
  };
}
