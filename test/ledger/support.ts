import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { productSlug } from '../../src/core/product.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { ArtifactRow, SliceRow, StageAttempt } from '../../src/ledger/ledger.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite.ts';

export const QUICKLOOK = productSlug({ sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' });
export const PROVISIONAL = productSlug({ sensor: 'ALL', descriptor: 'PROVISIONAL', format: 'csv' });
export const DAY = parseDay('2025-09-01');
export const NEXT_DAY = parseDay('2025-09-02');

/** 2025-11-21T05:05:54.414Z. */
export const NOON_MS = Date.parse('2025-11-21T05:05:54.414Z');

/** A folder that goes away with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'reachback-ledger-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A clock that moves only when told. */
export function createClock(startMs = NOON_MS): { now: () => number; advance: (ms: number) => void } {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}

export async function openIn(root: string, now: () => number = createClock().now): Promise<SqlLedger> {
  const ledger = await openSqliteLedger({ file: join(root, 'state', 'reachback.db'), root, now });
  onTestFinished(() => ledger.close());
  return ledger;
}

export function attempt(change: Partial<StageAttempt> = {}): StageAttempt {
  return { runId: 'run-1', workflowRunId: 'wf-1', product: QUICKLOOK, day: DAY, stage: 'download', ...change };
}

export function download(root: string, change: Partial<ArtifactRow> = {}): ArtifactRow {
  return {
    kind: 'download',
    product: QUICKLOOK,
    day: DAY,
    path: join(root, 'downloads', 'REACH-ALL_20250901T000000_20250902T000000.csv'),
    sizeBytes: 629,
    sha256: 'a'.repeat(64),
    mtimeMs: 1_763_701_554_421.25,
    records: 8,
    inputSha256: null,
    profile: null,
    version: null,
    createdAt: '2025-11-21T05:05:54.421Z',
    ...change,
  };
}

export function product(root: string, change: Partial<ArtifactRow> = {}): ArtifactRow {
  return download(root, {
    kind: 'product',
    path: join(root, 'products', 'l1c', 'prelim', '2025', '09', '01', 'reach_all.cdf'),
    sizeBytes: 2_000_000,
    sha256: 'b'.repeat(64),
    inputSha256: 'a'.repeat(64),
    profile: 'parity',
    version: '1.0.0',
    ...change,
  });
}

export function slice(change: Partial<SliceRow> = {}): SliceRow {
  return {
    product: QUICKLOOK,
    day: DAY,
    startMs: Date.parse('2025-09-01T00:00:00Z'),
    endMs: Date.parse('2025-09-01T00:05:00Z'),
    status: 'done',
    httpStatus: 200,
    records: 3840,
    bytes: 3_187_200,
    sha256: 'c'.repeat(64),
    failures: 0,
    errorKind: null,
    errorDetail: null,
    seconds: 0.25,
    updatedAt: '2025-11-21T05:05:54.421Z',
    outside: 64,
    ...change,
  };
}
