/** A day's download against a scripted server: small archive, memory ledger, fast gate. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerResponse } from 'node:http';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type {
  DownloadDependencies,
  DownloadHooks,
  DownloadOutcome,
  DownloadRequest,
} from '../../../src/activities/download/index.ts';
import { isPipelineError } from '../../../src/core/errors.ts';
import type { RateConfig } from '../../../src/core/rate/config.ts';
import { Secret } from '../../../src/core/secret.ts';
import { dayStartMs, parseDay } from '../../../src/core/time/day.ts';
import { createGate } from '../../../src/gate/index.ts';
import type { Clock, Gate } from '../../../src/gate/index.ts';
import type { RequestFailureRow, SliceRow } from '../../../src/ledger/ledger.ts';
import { createUdlSource } from '../../../src/sources/udl/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { sendJson } from '../../sources/udl/scripted-server.ts';
import type { SeenRequest } from '../../sources/udl/scripted-server.ts';

export const TOKEN = 'Basic c2VjcmV0OnBhc3N3b3Jk';
export const DAY = parseDay('2026-01-01');
export const START = dayStartMs(DAY);

export interface TestRecord {
  readonly [key: string]: unknown;
  readonly obTime: string;
}

export function record(ms: number, extra: Record<string, unknown> = {}): TestRecord {
  const obTime = new Date(START + ms).toISOString();
  return {
    id: `id-${ms}`,
    idSensor: 'REACH-101',
    obTime,
    senPos: [1.5, 2, -3],
    seoList: [{ obValue: 0.5, obDescription: 'DOSE1' }],
    ...extra,
  };
}

/** Every 6 h slice has records at its start, inside, half a second behind a boundary; the next day begins too. */
export const ARCHIVE: readonly TestRecord[] = Array.from({ length: 5 }, (_, quarter) =>
  [0, 500, 1_000, 3_600_000].map((ms) => record(quarter * 21_600_000 + ms)),
).flat();

/** What a request's range selects; `inclusive` decides about a record exactly on its end. */
export function selectFrom(
  archive: readonly TestRecord[],
  { startMs, endMs }: SeenRequest,
  inclusive: boolean,
): TestRecord[] {
  return archive.filter(({ obTime }) => {
    const ms = Date.parse(obTime);
    return ms >= startMs && (inclusive ? ms <= endMs : ms < endMs);
  });
}

/** Answers as the source does. */
export function answerFrom(archive: readonly TestRecord[], inclusive = true) {
  return (response: ServerResponse, request: SeenRequest): void => {
    sendJson(response, selectFrom(archive, request, inclusive));
  };
}

export type TestLedger = DownloadDependencies['ledger'] & {
  readonly rows: Map<number, SliceRow>;
  readonly requestFailures: RequestFailureRow[];
};

export function memoryLedger(): TestLedger {
  const rows = new Map<number, SliceRow>();
  const requestFailures: RequestFailureRow[] = [];
  return {
    rows,
    requestFailures,
    putRequestFailure: (failure) => {
      requestFailures.push(failure);
      return Promise.resolve();
    },
    slices: () => Promise.resolve([...rows.values()]),
    putSlice: (row) => {
      rows.set(row.startMs, row);
      return Promise.resolve();
    },
    resetSliceFailures: () => {
      for (const row of rows.values()) rows.set(row.startMs, { ...row, failures: 0 });
      return Promise.resolve();
    },
    retainSlices: (_product, _day, intervals) => {
      const wanted = new Set(intervals.map(({ startMs, endMs }) => `${startMs}-${endMs}`));
      for (const row of rows.values()) if (!wanted.has(`${row.startMs}-${row.endMs}`)) rows.delete(row.startMs);
      return Promise.resolve();
    },
  };
}

/** A clock that runs `factor` times as fast as the real one: pauses of minutes pass in milliseconds. */
export function fastClock(factor: number): Clock {
  const startMs = Date.now();
  return {
    now: () => startMs + performance.now() * factor,
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs / factor);
      return () => clearTimeout(timer);
    },
  };
}

export const FAST: Partial<RateConfig> = { initialRate: 1_000, minRate: 500, maxRate: 1_000, passWaitMs: 1 };

export function openGate(config: Partial<RateConfig> = {}, clock?: Clock): Gate {
  return createGate({ config: { ...FAST, ...config }, ...(clock && { clock }) });
}

export function testSource(url: string, requestTimeoutMs = 30_000): UdlSource {
  return createUdlSource({ baseUrl: url, token: new Secret(TOKEN), threads: 1, requestTimeoutMs });
}

export interface Workspace {
  readonly downloads: string;
  readonly slices: string;
  remove(): Promise<void>;
}

export async function makeWorkspace(): Promise<Workspace> {
  const downloads = await mkdtemp(join(tmpdir(), 'reachback-download-'));
  return {
    downloads,
    slices: join(downloads, '.slices'),
    remove: () => rm(downloads, { recursive: true, force: true }),
  };
}

/** Does what the engine does: tries again after failures that may pass, waiting as told (in the gate's time). */
export async function drive(
  deps: DownloadDependencies,
  request: DownloadRequest,
  hooks: DownloadHooks = {},
  clockFactor = 1,
): Promise<DownloadOutcome & { readonly passes: number }> {
  for (let passes = 1; ; passes += 1) {
    try {
      return { ...(await downloadDay(deps, { ...request, freshRun: passes === 1 }, hooks)), passes };
    } catch (error) {
      if (!isPipelineError(error) || error.retry !== 'later') throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, (error.retryAfterMs ?? 0) / clockFactor);
      });
    }
  }
}
