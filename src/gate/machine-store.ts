/** The gate of this machine: its lock, held by the kernel for one process, and its state file. */
import { join } from 'node:path';
import { CLOSED_BREAKER } from '../core/rate/breaker.ts';
import { acquireLock } from '../storage/lock.ts';
import type { HeldLock } from '../storage/lock.ts';
import { writeFileAtomically } from '../storage/atomic-file.ts';
import { PRIVATE_FILE, gateFolder } from './place.ts';
import type { GateIdentity } from './place.ts';
import { StateFile } from './state-file.ts';
import type { GateState, GateStore, KeptGateState } from './types.ts';

export const LOCK_NAME = 'lock.db';
export const STATE_NAME = 'state.db';

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
  /** Whether workers whose gate is in a database use it together; only gates of the machine alone are kept out then. */
  readonly shared?: boolean;
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
      shared: this.#options.shared ?? false,
      mode: PRIVATE_FILE,
    });
    try {
      const { file, row, damaged } = StateFile.open(join(this.place, STATE_NAME));
      this.#file = file;
      await writePointer(pointer, { origin, folder: this.place });
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

/** Names the gate that a workspace uses, for `readGateReport`. */
export async function writePointer(path: string, gate: Readonly<Record<string, string>>): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(gate)}\n`);
}
