import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

export interface TelemetryFigures {
  readonly rows: number;
  readonly fileMiB: number;
  readonly importS: number;
  readonly importCpuS: number;
  /** The workspace's own CSV, from the ledger. */
  readonly writeS: number;
  /** The same file once more: every row is known. */
  readonly againS: number;
  readonly ledgerMiB: number;
  readonly peakRssMiB: number;
}

const LEAST_ROWS_PER_SECOND = 20_000;
/** Whatever the file's size. */
const MOST_RSS_MIB = 400;
const SIZES = [200_000, 1_000_000] as const;

/** Telemetry files of two sizes brought into an empty ledger: time grows with the rows, memory does not. */
export async function benchTelemetry(ground: Ground): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of SIZES) {
    ground.say(`a telemetry file of ${size.toLocaleString('en')} rows`);
    const found = await runProgram<TelemetryFigures>('telemetry-process.ts', [
      ground.folder(`telemetry-${size}`),
      String(size),
    ]);
    const { rows, fileMiB, importS, importCpuS, writeS, againS, ledgerMiB, peakRssMiB } = found;
    const perSecond = Math.round(rows / importS).toLocaleString('en');
    const goal = rows / LEAST_ROWS_PER_SECOND;
    const of = `${rows} rows, ${Math.round(fileMiB)} MiB`;
    figures.push(
      figure('telemetry', `import of ${of} (${perSecond}/s)`, importS, 's', { goal }),
      figure('telemetry', `import of ${of}, CPU`, importCpuS, 's'),
      figure('telemetry', `the same file again`, againS, 's'),
      figure('telemetry', `the workspace's own CSV written`, writeS, 's'),
      figure('telemetry', 'ledger', ledgerMiB, 'MiB'),
      figure('telemetry', 'peak RSS', peakRssMiB, 'MiB', { goal: MOST_RSS_MIB }),
    );
  }
  return figures;
}
