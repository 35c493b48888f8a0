import { existsSync } from 'node:fs';
import { PipelineError } from '../core/errors.ts';
import { writeAtomically } from '../storage/atomic-file.ts';
import { TELEMETRY_COLUMNS, csvLine, telemetryLine } from './telemetry-format.ts';
import type { TelemetryLog } from './telemetry-log.ts';

/** Rows per write: about 700 kB. */
const BATCH = 2_000;

/**
 * Writes all attempts as a telemetry CSV, whole or not at all.
 *
 * @returns how many rows
 * @throws PipelineError `config_invalid` when something is there already
 */
export async function exportTelemetry(ledger: Pick<TelemetryLog, 'attemptsAfter'>, path: string): Promise<number> {
  if (existsSync(path)) {
    throw new PipelineError('config_invalid', `${path} exists already.`, {
      hint: 'Name another file, or move that one away: an export replaces nothing.',
      context: { path },
    });
  }
  return await writeAtomically(path, async (file) => {
    await file.writeFile(csvLine(TELEMETRY_COLUMNS));
    let written = 0;
    for (let seq = 0; ;) {
      const rows = await ledger.attemptsAfter(seq, BATCH);
      const last = rows.at(-1);
      if (last === undefined) return written;
      await file.writeFile(rows.map(telemetryLine).join(''));
      written += rows.length;
      ({ seq } = last);
    }
  });
}
