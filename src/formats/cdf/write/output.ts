/**
 * The file in the making, under its hidden name. Two ways lead to the same bytes:
 *
 * - `SpooledOutput`: sizes are known last. Values wait in a spool and are copied to their place at the end.
 * - `PlannedOutput` (`planned-output.ts`): all sizes are known first. Values are written to their place at once.
 */
import { open, rm } from 'node:fs/promises';
import type { CdfWriteResult } from '../model.ts';
import { assembleFile } from './assemble.ts';
import type { Block, BlockStore } from './column.ts';
import type { FileDraft } from './create.ts';
import { layoutFile } from './layout.ts';
import { Spool } from './spool.ts';

export interface Output {
  /** Where the file lies between `finish` and its renaming. */
  readonly path: string;
  /** @param num - number of the variable in the draft */
  storeOf(num: number): BlockStore;
  /**
   * Completes the file and syncs it.
   *
   * @param columns - all blocks of each variable, in the order of the draft
   * @throws FormatError `layout_broken`, `too_large`; errors of the file system
   */
  finish(columns: readonly (readonly Block[])[]): Promise<CdfWriteResult>;
  /** Lets everything go; a file that still has the hidden name is removed. */
  release(): Promise<void>;
}

export class SpooledOutput implements Output {
  readonly path: string;
  readonly #draft: FileDraft;
  readonly #hasChecksum: boolean;
  readonly #spool: Spool;

  private constructor(path: string, draft: FileDraft, hasChecksum: boolean, spool: Spool) {
    this.path = path;
    this.#draft = draft;
    this.#hasChecksum = hasChecksum;
    this.#spool = spool;
  }

  static async open(path: string, draft: FileDraft, hasChecksum: boolean): Promise<SpooledOutput> {
    return new SpooledOutput(path, draft, hasChecksum, await Spool.open(path));
  }

  storeOf(): BlockStore {
    return this.#spool;
  }

  async finish(columns: readonly (readonly Block[])[]): Promise<CdfWriteResult> {
    const layout = layoutFile(this.#draft, columns);
    const file = await open(this.path, 'wx');
    try {
      const result = await assembleFile(file, layout, this.#spool, this.#hasChecksum);
      await file.sync();
      return result;
    } finally {
      await file.close();
    }
  }

  async release(): Promise<void> {
    await this.#spool.close();
    await rm(this.path, { force: true });
  }
}
