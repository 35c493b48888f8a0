import type { CdfSchema, CdfValues, CdfWriteOptions, CdfWriteResult } from '../model.ts';

/** Writes one CDF in batches of records; nothing appears under the final name before `close`. */
export class CdfWriter {
  static async open(_path: string, _schema: CdfSchema, _options?: CdfWriteOptions): Promise<CdfWriter> {
    throw new Error('not there yet');
  }

  /** Adds whole records; the array must not change before the promise settles. */
  async append(_variable: string, _values: CdfValues): Promise<void> {}

  /** Finishes the file under its final name. */
  async close(): Promise<CdfWriteResult> {
    throw new Error('not there yet');
  }

  /** Leaves no trace of the file. */
  async abort(): Promise<void> {}
}
