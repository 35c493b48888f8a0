/** Prints the fault table: `npm run faults`; with real lengths of pauses `-- --full`, some faults alone `-- --only gzip`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureTemporalBinary } from '../src/embedded/temporal-binary.ts';
import { playMatrix } from '../test/e2e/fault-matrix/matrix.ts';
import { faultTable } from '../test/e2e/fault-matrix/table.ts';
import { startTestServer } from '../test/workflows/harness.ts';

const { full, only } = parseArgs({
  options: { full: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
}).values;
process.env['TEMPORAL_CLI_PATH'] = (await ensureTemporalBinary(process.env)).path;
const folder = await mkdtemp(join(tmpdir(), 'reachback-faults-'));
const env = await startTestServer();
try {
  const startedAt = performance.now();
  const rows = await playMatrix(env, folder, { full, wanted: (fault) => fault.includes(only) });
  console.log(faultTable(rows));
  const bad = rows.filter((row) => row.outcome !== 'complete' || row.askedInVain + row.begunInCooldown > 0);
  console.log(
    `\n${rows.length} cases through the real pipeline, ${bad.length} not as they should be, ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
  );
  if (bad.length > 0) process.exitCode = 1;
} finally {
  await env.teardown();
  await rm(folder, { recursive: true, force: true });
}
