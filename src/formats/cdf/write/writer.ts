/**
 * The streaming writer: create → (records to their blocks) → layout → link → write, then the final name.
 */
import { randomBytes } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../errors.ts';
import type { CdfSchema, CdfValues, CdfWriteOptions, CdfWriteResult } from '../model.ts';
import { createColumn } from './column.ts';
import { createDraft } from './create.ts';
import type { FileDraft } from './create.ts';
import { InFlight } from '../in-flight.ts';
import { SpooledOutput } from './output.ts';
import type { Output } from './output.ts';
import { PlannedOutput } from './planned-output.ts';
import { VariableInput } from './variable-input.ts';

/** Threads of libuv's pool, which compresses. */
const POOL_THREADS = Number(process.env['UV_THREADPOOL_SIZE']) || 4;

/**
 * Writes one CDF in batches of records. Nothing appears under the final name before `close`, which replaces what was
 * there. The bytes depend on schema, options and values alone, not on batch sizes, order of variables or timing.
 *
 * Memory: one open block per variable and a few blocks in flight. Disk: the values twice while `close` runs, unless
 * sizes are known beforehand (see `CdfVariable.records`).
 */
export class CdfWriter {
  readonly #path: string;
  readonly #output: Output;
  readonly #inFlight: InFlight;
  readonly #inputs: ReadonlyMap<string, VariableInput>;
  #queue: Promise<unknown> = Promise.resolve();
  #isOpen = true;
  #failure: unknown;

  private constructor(path: string, draft: FileDraft, output: Output) {
    this.#path = path;
    this.#output = output;
    const inFlight = new InFlight(2 * POOL_THREADS);
    this.#inFlight = inFlight;
    this.#inputs = new Map(
      draft.variables.map((variable, num) => [
        variable.name,
        new VariableInput(variable, createColumn(variable, output.storeOf(num), inFlight)),
      ]),
    );
  }

  /**
   * @param path - final name; its folder must exist
   * @throws FormatError `schema_invalid` or `value_invalid`, before anything is written; errors of the file system
   */
  static async open(path: string, schema: CdfSchema, options: CdfWriteOptions = {}): Promise<CdfWriter> {
    const draft = createDraft(schema, options);
    const Kind = PlannedOutput.fits(draft) ? PlannedOutput : SpooledOutput;
    return new CdfWriter(path, draft, await Kind.open(temporaryName(path), draft, options.checksum ?? true));
  }

  /**
   * Adds whole records, any number of them. Do not change the array before the promise settles. Calls need not wait
   * for each other; they are taken in order. After a failure the file cannot be finished, only aborted.
   *
   * @throws FormatError as `VariableInput.append` says; `writer_misused` for an unknown variable or a closed writer
   */
  async append(variable: string, values: CdfValues): Promise<void> {
    this.#mustBeOpen('append');
    const input = this.#inputs.get(variable);
    if (!input) {
      const expected = `one of ${[...this.#inputs.keys()].join(', ') || 'none'}`;
      throw new FormatError('writer_misused', 'append', { expected, got: JSON.stringify(variable) });
    }
    await this.#enqueue(() => input.append(values));
  }

  /**
   * Finishes the file: written under a hidden name, synced, renamed.
   *
   * @throws what a failed `append` threw; FormatError `value_invalid` for a one-record variable without its record, or
   *   fewer records than declared; errors of the file system. The writer is closed and has left nothing behind then.
   */
  async close(): Promise<CdfWriteResult> {
    this.#mustBeOpen('close');
    this.#isOpen = false;
    try {
      return await this.#enqueue(() => this.#publish());
    } finally {
      await this.#release();
    }
  }

  /** Gives the file up; nothing of it stays. No effect on a closed writer. */
  async abort(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#queue.catch(() => undefined);
    await this.#release();
  }

  /** Runs a task after all before it; none runs after a failure. */
  async #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await task();
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    });
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #publish(): Promise<CdfWriteResult> {
    // All at once: the last blocks of the variables are compressed side by side.
    const endings = await Promise.allSettled(Array.from(this.#inputs.values(), (input) => input.finish()));
    const columns = endings.map((ending) => {
      if (ending.status === 'rejected') throw ending.reason;
      return ending.value;
    });
    const result = await this.#output.finish(columns);
    await rename(this.#output.path, this.#path);
    await syncFolder(dirname(this.#path));
    return result;
  }

  async #release(): Promise<void> {
    await this.#inFlight.drain().catch(() => undefined); // its failure was or will be reported by `finish`
    await this.#output.release();
  }

  #mustBeOpen(call: string): void {
    if (!this.#isOpen)
      throw new FormatError('writer_misused', call, { expected: 'an open writer', got: 'a closed one' });
  }
}

/** A hidden name beside `path`; the process id tells leftovers from work in progress. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
