/**
 * Brings a telemetry CSV into an empty ledger, writes the ledger's own CSV, and brings the same file again.
 *
 *     node bench/telemetry-process.ts <folder> <rows>
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { importTelemetry } from '../src/activities/adopt/import-telemetry.ts';
import { openLedger } from '../src/ledger/index.ts';
import { openWorkspace } from '../src/storage/workspace.ts';
import type { TelemetryFigures } from './cases/telemetry.ts';
import { writeTelemetry } from './support/telemetry-file.ts';

const [folder = '', asked = ''] = process.argv.slice(2);
const file = join(folder, 'telemetry.csv');
const { rows, bytes } = await writeTelemetry(file, Number(asked));
const workspace = await openWorkspace({ dir: join(folder, 'workspace') });
const { ledger, telemetry } = await openLedger({ workspace, bulk: true });

const imported = await timed(() => importTelemetry(ledger, file));
const written = await timed(() => telemetry.flush());
const again = await timed(() => importTelemetry(ledger, file));
if (imported.result.added !== rows || again.result.added !== 0) throw new Error('rows were lost, or came twice');
await ledger.close();

const figures: TelemetryFigures = {
  rows,
  fileMiB: bytes / 2 ** 20,
  importS: imported.seconds,
  importCpuS: imported.cpuSeconds,
  writeS: written.seconds,
  againS: again.seconds,
  ledgerMiB: (await stat(workspace.ledgerPath)).size / 2 ** 20,
  peakRssMiB: process.resourceUsage().maxRSS / 1_024,
};
process.stdout.write(JSON.stringify(figures));

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number; cpuSeconds: number }> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - startedMs) / 1_000, cpuSeconds: (user + system) / 1_000_000 };
}
