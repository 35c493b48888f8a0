/**
 * A day that is given up, for every way in which a source can bring that about: what the ledger can tell of it, what is kept, and
 * what the next run asks for.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { FaultPlan, Simulator } from '../../simulator/simulator.ts';
import { planRange } from '../../src/activities/plan-range.ts';
import { recordDay } from '../../src/activities/record-day.ts';
import type { ErrorKind } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Stage } from '../../src/core/backfill/types.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { createUdlSource } from '../../src/sources/udl/index.ts';
import type { UdlSource } from '../../src/sources/udl/index.ts';
import { goodRecords, record, toCsv } from '../products/reach-l1c/support.ts';
import { createPlace, dayAttempt, engine, failureOf, filesBelow, identity, putDownload, tryStage } from './set-up.ts';
import type { Place } from './set-up.ts';

type Fault = FaultPlan['rules'][number]['fault'];

const DAY = parseDay('2025-09-01');
const PRODUCT = 'reach-101/quicklook';
const BAD_SLICE = 2;
const MOST_TRIES = 10;

let simulator: Simulator;
let source: UdlSource;
let place: Place;
let undisturbed: string | undefined;

beforeAll(async () => {
  simulator = await startSimulator({ tiny: true });
  source = createUdlSource({
    baseUrl: simulator.url,
    token: new Secret('Basic c2VjcmV0OnBhc3N3b3Jk'),
    threads: 1,
    requestTimeoutMs: 700,
  });
});

beforeEach(async () => {
  simulator.reset();
  undisturbed ??= await undisturbedDay();
  place = await createPlace(source);
});

async function undisturbedDay(): Promise<string | undefined> {
  const calm = await createPlace(source);
  await download(calm, 'calm');
  return (await factsOf(calm)).artifact?.sha256;
}

afterAll(async () => {
  await source.close();
  await simulator.close();
});

const attempt = (run: string) => dayAttempt({ day: DAY, product: PRODUCT, stages: ['download', 'count'], run });

const download = (at: Place, run: string, tries = 1) => tryStage(at, 'downloadWindow', attempt(run), engine(tries));

async function factsOf({ ledger }: Place) {
  const [facts] = await ledger.dayFacts(PRODUCT, DAY, DAY, null);
  return facts!;
}

/** As the engine does: until the failure is final, which then closes the day. @returns the kind and how often it was tried */
async function giveUp(): Promise<{ kind: string; tries: number }> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const { type, message, nonRetryable } = await failureOf(download(place, 'given-up', tries));
    if (nonRetryable !== true) continue;
    const kind = type as ErrorKind;
    const failure = { stage: 'download', kind, message } as const;
    await recordDay(place.deps, { ...attempt('given-up'), failure });
    return { kind, tries };
  }
  throw new Error(`not given up after ${MOST_TRIES} tries`);
}

/** The kind of each request's failure, what the ledger has of its answer, and whether the answer is kept whole. */
interface Case {
  readonly name: string;
  readonly fault: Fault;
  readonly kind: string;
  readonly status: number | null;
  /** Beside the host: content type, what is wrong, the readable start. */
  readonly says: readonly string[];
  readonly kept?: 'whole' | 'start';
}

const PAGE = 'it begins: Sign in Please sign in';

const CASES: readonly Case[] = [
  ...([408, 500, 503] as const).map((status) => ({
    name: String(status),
    fault: { kind: 'status', status } as const,
    kind: 'http_error',
    status,
    says: [
      'application/json',
      'the source failed',
      `it begins: {"status":${status},"error":"Injected fault: status ${status}."`,
    ],
  })),
  ...([400, 404] as const).map((status) => ({
    name: String(status),
    fault: { kind: 'status', status } as const,
    kind: 'request_rejected',
    status,
    says: [
      'application/json',
      'rejected',
      `it begins: {"status":${status},"error":"Injected fault: status ${status}."`,
    ],
  })),
  { name: 'HTML', fault: { kind: 'html' }, kind: 'wrong_kind', status: 200, says: ['text/html', PAGE], kept: 'start' },
  {
    name: 'HTML as JSON',
    fault: { kind: 'html', contentType: 'application/json' },
    kind: 'wrong_kind',
    status: 200,
    says: ['application/json', 'no JSON list', PAGE],
    kept: 'start',
  },
  {
    name: 'a login redirect',
    fault: { kind: 'redirect' },
    kind: 'wrong_kind',
    status: 302,
    says: ['redirects are not followed', '/auth/login'],
  },
  {
    name: 'an error object',
    fault: { kind: 'error_object' },
    kind: 'raw_unprocessed',
    status: 200,
    says: ['application/json', 'object without obTime', 'it begins: {"error":"Injected fault: the query could not'],
    kept: 'whole',
  },
  {
    name: 'null',
    fault: { kind: 'null' },
    kind: 'raw_unprocessed',
    status: 200,
    says: ['it begins: null'],
    kept: 'whole',
  },
  {
    name: '{}',
    fault: { kind: 'empty_object' },
    kind: 'raw_unprocessed',
    status: 200,
    says: ['begins: {}'],
    kept: 'whole',
  },
  {
    name: 'an empty body',
    fault: { kind: 'empty_body' },
    kind: 'wrong_kind',
    status: 200,
    says: ['the answer is empty'],
  },
  {
    name: 'cut JSON',
    fault: { kind: 'cut_json' },
    kind: 'raw_unprocessed',
    status: 200,
    says: ['application/json', 'the JSON ends early', 'it begins: [{"id":'],
    kept: 'whole',
  },
  {
    name: 'a broken gzip',
    fault: { kind: 'broken_gzip' },
    kind: 'raw_unprocessed',
    status: 200,
    says: ['application/json', 'the gzip body cannot be decoded', 'it begins: [{"id":'],
    kept: 'whole',
  },
  {
    name: 'a short body',
    fault: { kind: 'short_body' },
    kind: 'connection_failed',
    status: 200,
    says: ['application/json', 'it begins: [{"id":'],
  },
  {
    name: 'a reset inside the body',
    fault: { kind: 'reset', at: 'mid_body' },
    kind: 'connection_failed',
    status: 200,
    says: ['application/json', 'it begins: [{"id":'],
  },
  { name: 'a reset', fault: { kind: 'reset' }, kind: 'connection_failed', status: null, says: [] },
  { name: 'a hang', fault: { kind: 'hang' }, kind: 'timeout', status: null, says: ['UND_ERR_HEADERS_TIMEOUT'] },
  {
    name: 'a hang inside the body',
    fault: { kind: 'hang', at: 'mid_body' },
    kind: 'timeout',
    status: 200,
    says: ['application/json', 'it begins: [{"id":'],
  },
];

describe('UDL-D1, TRACK-9, SAFE-9: a slice that never gets a usable answer', () => {
  test.for(CASES)(
    '$name: FAILED with its evidence, all else kept, never "no data"; a later run asks for it alone',
    async (one) => {
      simulator.setFaults({ rules: [{ match: { day: DAY, slice: BAD_SLICE }, fault: one.fault }] });
      const { kind, tries } = await giveUp();
      expect(kind).toBe('slice_exhausted');
      const rejected = one.kind === 'request_rejected';
      expect(tries).toBe(rejected ? 1 : 6);

      // Of the day.
      const host = new URL(simulator.url).host;
      expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING', 'download FAILED']);
      expect((await factsOf(place)).download?.status).toBe('FAILED');
      const [failed] = place
        .telemetry()
        .split('\r\n')
        .filter((line) => line.includes(',FAILED,'));
      for (const text of ['slice_exhausted', host]) expect(failed).toContain(text);
      // Of the slice and of each request.
      const rows = await place.ledger.slices(PRODUCT, DAY);
      const bad = rows.filter(({ status }) => status === 'failed');
      expect(bad).toMatchObject([{ errorKind: one.kind, httpStatus: one.status, records: null }]);
      const failures = await place.ledger.requestFailures(PRODUCT, DAY);
      expect(failures).toHaveLength(tries);
      for (const text of [host, ...(one.status === null ? [] : [`HTTP ${one.status}`]), ...one.says]) {
        expect(bad[0]!.errorDetail).toContain(text);
        expect(failures.filter(({ host: from, detail }) => from !== host || !detail.includes(text))).toEqual([]);
      }
      // What was fetched.
      const files = filesBelow(place.workspace.slices);
      const finished = rows.filter(({ status }) => status === 'done').length;
      expect(files.filter((name) => name.endsWith('.slice'))).toHaveLength(finished);
      expect(finished).toBeGreaterThanOrEqual(rejected ? 0 : 3);
      expect(files.filter((name) => name.endsWith('.raw'))).toHaveLength(one.kept === 'whole' ? 1 : 0);
      expect(files.some((name) => name.endsWith('.rejected'))).toBe(one.kept === 'start');

      simulator.setFaults({ rules: [] });
      const before = simulator.stats().byEndpoint['data']!;
      const plan = (retryFailed: boolean) => {
        const { options } = attempt('later').input;
        return planRange(place.deps, {
          runId: 'r',
          product: PRODUCT,
          first: DAY,
          last: DAY,
          options: { ...options, retryFailed },
        });
      };
      expect(await plan(false)).toMatchObject({ days: [], skipped: { failed: 1 } });
      expect((await plan(true)).days).toMatchObject([{ day: DAY, reason: 'the download failed before' }]);
      await download(place, 'later');
      expect(simulator.stats().byEndpoint['data']! - before).toBe(4 - finished);
      expect((await factsOf(place)).artifact?.sha256).toBe(undisturbed);
    },
  );
});

describe('SAFE-8: a day that cannot be built', () => {
  const LATER = parseDay('2026-01-01');
  const unusable = toCsv([...goodRecords(9), record({ obTime: 'soon' })]);

  test.for<[ErrorKind, string, Stage[], string, (path: string) => void]>([
    ['input_invalid', 'a,b\r\n1,2\r\n', ['count', 'build'], 'idSensor', () => undefined],
    ['quarantine_exceeded', unusable, ['count', 'build'], '1 of 10 records', () => undefined],
    [
      'checksum_mismatch',
      toCsv(goodRecords(10)),
      ['download', 'count', 'build'],
      'REACH-ALL',
      (path) => writeFileSync(path, toCsv(goodRecords(9))),
    ],
  ])(
    '%s: FAILED with its reason, the download kept; a later run does only what is missing',
    async ([kind, csv, stages, says, harm]) => {
      const { requests } = simulator.stats();
      const { path } = await putDownload(place, LATER, csv);
      harm(path);
      const before = identity(path);
      const build = dayAttempt({ day: LATER, stages: ['build'] });
      const { type, message } = await failureOf(tryStage(place, 'buildCdf', build));
      expect([type, message]).toEqual([kind, expect.stringContaining(says)]);
      await recordDay(place.deps, { ...build, failure: { stage: 'build', kind, message } });
      expect(await place.rows()).toEqual(['build PROCESS_PENDING', 'build FAILED']);
      expect(place.telemetry()).toContain(kind);
      expect(identity(path)).toEqual(before);

      const plan = (retryFailed: boolean) =>
        planRange(place.deps, {
          runId: 'r',
          product: build.input.product,
          first: LATER,
          last: LATER,
          options: { ...build.input.options, retryFailed },
        });
      expect(await plan(false)).toMatchObject({ days: [], skipped: { failed: 1 } });
      expect((await plan(true)).days.map((day) => day.stages)).toEqual([stages]);
      expect(simulator.stats().requests).toBe(requests);
    },
  );
});
