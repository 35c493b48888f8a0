/**
 * Fills a ledger with ten years of days and their slices, and reads reports from it.
 *
 *     node --expose-gc bench/ledger-process.ts <folder>
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { gapsOf } from '../src/core/report/gaps.ts';
import { daySlices } from '../src/core/slices.ts';
import { daysBetween, parseDay } from '../src/core/time/day.ts';
import type { Day } from '../src/core/time/day.ts';
import { openLedger, openLedgerForReading } from '../src/ledger/index.ts';
import type { SliceRow } from '../src/ledger/ledger.ts';
import { openWorkspace } from '../src/storage/workspace.ts';
import type { LedgerFigures } from './cases/ledger.ts';
import { median } from './support/figures.ts';

const PRODUCT = 'reach-all/quicklook';
const DAYS = daysBetween(parseDay('2015-01-01'), parseDay('2024-12-31'));
const TIMES = 7;

const [folder = ''] = process.argv.slice(2);
const workspace = await openWorkspace({ dir: join(folder, 'workspace') });
const { ledger } = await openLedger({ workspace });
// Made before the clock runs: what is measured is the ledger.
const hashes = Array.from({ length: 288 }, (_, index) => createHash('sha256').update(String(index)).digest('hex'));
let ingestS = 0;
for (const day of DAYS) {
  const rows = slicesOf(day);
  const startedMs = performance.now();
  await ledger.putSlices(rows);
  // The database frees statements in a turn of the event loop of their own.
  await setImmediate();
  ingestS += (performance.now() - startedMs) / 1_000;
}
for (const [index, day] of DAYS.entries()) {
  await finishDay(day, index);
  await setImmediate();
}
await ledger.close();
const bytes = (await stat(workspace.ledgerPath)).size;

const reader = await openLedgerForReading(workspace);
const reportsMs = {
  'status: days by state': await medianMs(() => reader.stateCounts()),
  'status: latest failures': await medianMs(() => reader.latestFailures(10)),
  'status: causes, hosts, throughput': await medianMs(() =>
    Promise.all([reader.failureCauses(), reader.hostRefusals(), reader.throughput('2025-01-01T00:00:00Z')]),
  ),
  'explain a day': await medianMs(() => reader.dayHistories(DAYS[100]!)),
  'gaps of a year': await medianMs(() => gaps(DAYS[0]!, DAYS[364]!)),
  'gaps of ten years': await medianMs(() => gaps(DAYS[0]!, DAYS.at(-1)!)),
  'the slowest of docs/queries.md': await slowestQueryMs(),
  'day lines of a month': await medianMs(() => reader.dayLines({ first: DAYS[100]!, last: DAYS[130]! })),
};
await reader.close();

const figures: LedgerFigures = {
  days: DAYS.length,
  slices: DAYS.length * 288,
  ingestS,
  fileMiB: bytes / 2 ** 20,
  peakRssMiB: process.resourceUsage().maxRSS / 1_024,
  reportsMs,
};
process.stdout.write(JSON.stringify(figures));

async function gaps(first: Day, last: Day): Promise<unknown> {
  const days = await reader.gapDays({ product: PRODUCT, first, last, fewerThan: 1_920 });
  return gapsOf(days, {
    today: parseDay('2025-06-01'),
    descriptor: 'QUICKLOOK',
    expectedPerDay: 1_105_920,
    shortBelow: 0.5,
  });
}

/** Median CPU milliseconds of the slowest documented query. */
async function slowestQueryMs(): Promise<number> {
  const database = new Database(workspace.ledgerPath, { readonly: true });
  const text = await readFile(new URL('../docs/queries.md', import.meta.url), 'utf8');
  const times: number[] = [];
  for (const [, query = ''] of text.matchAll(/^```sql\n([^]*?)^```/gm)) {
    times.push(await medianMs(() => Promise.resolve(database.prepare(query).all())));
  }
  database.close();
  return Math.max(...times);
}

function slicesOf(day: Day): SliceRow[] {
  return daySlices(day, 'ALL', 'half-open').map(({ startMs, endMs }, index) => {
    const isEmpty = index === 100;
    return {
      product: PRODUCT,
      day,
      startMs,
      endMs,
      status: isEmpty ? 'empty' : 'done',
      httpStatus: 200,
      records: isEmpty ? 0 : 3_840,
      bytes: isEmpty ? 2 : 3_187_200 + index,
      sha256: hashes[index]!,
      failures: 0,
      errorKind: null,
      errorDetail: null,
      seconds: 0.25 + index / 1_000,
      updatedAt: '2025-11-21T05:05:54.421Z',
    };
  });
}

/** One day of a hundred has failed. */
async function finishDay(day: Day, index: number): Promise<void> {
  const attempt = { runId: 'ten-years', workflowRunId: `wf-${day}`, product: PRODUCT, day } as const;
  const path = join(workspace.downloads, `${day}.csv`);
  if (index % 100 === 7) {
    await ledger.failStage(
      { ...attempt, stage: 'download' },
      { stage: 'download', kind: 'slice_exhausted', message: 'HTTP 503' },
    );
    return;
  }
  const done = { seconds: 10, records: 1_101_000, sizeBytes: 573_000_000, path };
  const { records, sizeBytes } = done;
  await ledger.putArtifact({
    kind: 'download',
    product: PRODUCT,
    day,
    path,
    sizeBytes,
    sha256: hashes[index % hashes.length]!,
    mtimeMs: 1,
    records,
    inputSha256: null,
    profile: null,
    version: null,
    createdAt: '2025-11-21T05:05:54.421Z',
  });
  await ledger.closeStage({ ...attempt, stage: 'download' }, { status: 'DOWNLOADED', ...done });
  await ledger.putArtifact({
    kind: 'product',
    product: PRODUCT,
    day,
    path: `${path}.cdf`,
    sizeBytes: 42_000_000,
    sha256: hashes[(index + 1) % hashes.length]!,
    mtimeMs: 1,
    records,
    inputSha256: hashes[index % hashes.length]!,
    profile: 'istp',
    version: '1.0.0',
    createdAt: '2025-11-21T05:06:04.421Z',
  });
  const built = { seconds: 5, sizeBytes: 42_000_000, path: `${path}.cdf`, inputPath: path };
  await ledger.closeStage({ ...attempt, stage: 'build' }, { status: 'PROCESSED', ...built });
  const upload = { ...attempt, stage: 'upload', destination: 'file:///srv/out' } as const;
  await ledger.closeStage(upload, { status: 'UPLOADED', seconds: 1, bucket: 'file:///srv/out', key: `${day}.cdf` });
}

/** Median CPU milliseconds, with SQLite in this process. */
async function medianMs(read: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    // CPU time: all of a report's work is in this process, and a loaded machine lengthens the wall time of anything.
    const before = process.cpuUsage();
    await read();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1_000);
  }
  return median(times);
}
