/**
 * Fills a ledger with a finished range of ten years, the way the activities do, and plans the range again.
 *
 *     node --expose-gc bench/plan-process.ts <folder>
 */
import { createHash } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { planDays } from '../src/activities/plan/plan-days.ts';
import type { PlanDependencies } from '../src/activities/plan/plan-days.ts';
import type { RunOptions } from '../src/core/backfill/types.ts';
import { artifactFileName, parseProductSlug } from '../src/core/product.ts';
import type { ProductSlug } from '../src/core/product.ts';
import { daysBetween, parseDay } from '../src/core/time/day.ts';
import type { Day } from '../src/core/time/day.ts';
import { openLedger } from '../src/ledger/index.ts';
import type { ArtifactRow, Ledger } from '../src/ledger/ledger.ts';
import { productFileName, productKey } from '../src/products/reach-l1c/index.ts';
import { openWorkspace } from '../src/storage/workspace.ts';
import type { Workspace } from '../src/storage/workspace.ts';
import type { PlanFigures } from './cases/plan.ts';

const FIRST = parseDay('2015-01-01');
const LAST = parseDay('2024-12-31');
const PRODUCT: ProductSlug = 'reach-all/quicklook';
const RUN_ID = 'ten-years';
const CREATED_AT = '2025-01-01T00:00:00.000Z';
const COUNTS = {
  records: 1_105_920,
  distinctReadings: 1_105_920,
  recordsPerSensor: Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`REACH-${101 + index}`, 34_560])),
};
/** Files looked at side by side, as planning does. */
const WIDTH = 16;

interface FinishedDay {
  readonly day: Day;
  readonly artifact: ArtifactRow;
  readonly product: ArtifactRow;
}

const [folder = ''] = process.argv.slice(2);
const workspace = await openWorkspace({ dir: join(folder, 'workspace') });
const options: RunOptions = {
  mode: 'run',
  retryFailed: false,
  uploadTo: pathToFileURL(join(folder, 'delivered')).href,
  profile: 'parity',
  sliceMode: 'half-open',
  limitDays: null,
};
const days = await mapBounded(daysBetween(FIRST, LAST), makeFiles);

const { ledger, telemetry } = await openLedger({ workspace });
let calls = 0;
const ingestS = await seconds(async () => {
  for (const day of days) {
    await remember(ledger, day);
    // The database frees statements in a turn of the event loop of their own, which an activity has and this loop has not.
    await setImmediate();
  }
});
const telemetryS = await seconds(() => telemetry.flush());
await ledger.close();

const again = await openLedger({ workspace });
const silent = { info: () => undefined, warn: () => undefined };
const planning: PlanDependencies = { ledger: again.ledger, folders: workspace, today: () => '2025-06-01', log: silent };
const planS = await seconds(async () => {
  const request = { runId: RUN_ID, product: PRODUCT, first: FIRST, last: LAST, options };
  const { days: withWork, skipped } = await planDays(planning, request);
  if (withWork.length > 0 || skipped.existing !== days.length) {
    throw new Error(`${withWork.length} days have work: ${JSON.stringify(withWork[0])}`);
  }
});
await again.ledger.close();

const statS = await seconds(() =>
  mapBounded(
    days.flatMap(({ artifact, product }) => [artifact.path, product.path]),
    (path) => stat(path),
  ),
);
const figures: PlanFigures = {
  days: days.length,
  rows: 6 * days.length,
  calls,
  ingestS,
  insertS: await seconds(async () => insertBare(calls)),
  telemetryS,
  planS,
  statS,
  peakRssMiB: process.resourceUsage().maxRSS / 1_024,
};
process.stdout.write(JSON.stringify(figures));

/** What the four stages of a day write. */
async function remember(to: Ledger, { day, artifact, product }: FinishedDay): Promise<void> {
  const attempt = { runId: RUN_ID, workflowRunId: `${RUN_ID}-${day}`, product: PRODUCT, day };
  const destination = options.uploadTo ?? '';
  const [download, build] = [
    { ...attempt, stage: 'download' },
    { ...attempt, stage: 'build' },
  ] as const;
  const upload = { ...attempt, stage: 'upload', destination } as const;
  const key = productKey(product.path);
  const delivery = { product: PRODUCT, day, destination, key, deliveredAt: CREATED_AT };
  const { path, records, sizeBytes, sha256 } = artifact;
  const writes = [
    () => to.openStage(download),
    () => to.putArtifact(artifact),
    () => to.closeStage(download, { status: 'DOWNLOADED', seconds: 10, records, sizeBytes, path }),
    () => to.putCounts(PRODUCT, day, sha256, COUNTS),
    () => to.openStage(build),
    () => to.putArtifact(product),
    () => to.closeStage(build, { status: 'PROCESSED', seconds: 5, sizeBytes, path: product.path, inputPath: path }),
    () => to.openStage(upload),
    () => to.putDelivery({ ...delivery, sizeBytes: product.sizeBytes, sha256: product.sha256 }),
    () => to.closeStage(upload, { status: 'UPLOADED', seconds: 1, bucket: destination, key }),
  ];
  for (const write of writes) await write();
  calls += writes.length;
}

/** Two small files stand for a day's: planning looks at size and time only. */
async function makeFiles(day: Day): Promise<FinishedDay> {
  const selection = parseProductSlug(PRODUCT);
  const name = productFileName('ALL', `${day.replaceAll('-', '')}T000000`, '1.0.0');
  const artifact = join(workspace.downloads, artifactFileName(selection, day));
  const product = join(workspace.products, productKey(name));
  const artifactRow = await makeFile('download', day, artifact, null);
  return { day, artifact: artifactRow, product: await makeFile('product', day, product, artifactRow.sha256) };
}

async function makeFile(
  kind: ArtifactRow['kind'],
  day: Day,
  path: string,
  inputSha256: string | null,
): Promise<ArtifactRow> {
  await mkdir(dirname(path), { recursive: true });
  const content = `${kind} ${day}\n`;
  await writeFile(path, content);
  const isProduct = kind === 'product';
  return {
    kind,
    product: PRODUCT,
    day,
    path,
    sizeBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    mtimeMs: (await stat(path)).mtimeMs,
    records: COUNTS.records,
    inputSha256,
    profile: isProduct ? 'parity' : null,
    version: isProduct ? '1.0.0' : null,
    createdAt: CREATED_AT,
  };
}

/** As many one-row transactions as the ledger made calls, with the ledger's own pragmas. */
function insertBare(count: number): void {
  const db = new Database(join(folder, 'bare.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.exec('create table bare (id integer primary key, day text, status text, path text, at text) strict');
  const insert = db.prepare('insert into bare (day, status, path, at) values (?, ?, ?, ?)');
  const path = workspacePath(workspace);
  for (let index = 0; index < count; index++) {
    insert.run(FIRST, 'DOWNLOADED', path, CREATED_AT);
  }
  db.close();
}

function workspacePath({ downloads }: Workspace): string {
  return join(downloads, artifactFileName(parseProductSlug(PRODUCT), FIRST));
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1_000;
}

async function mapBounded<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, runner));
  return results;
}
