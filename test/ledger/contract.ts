/** What every ledger promises, whatever database it stands on. Call with a factory inside a test file. */
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Stage } from '../../src/core/backfill/types.ts';
import { parseProductSlug } from '../../src/core/product.ts';
import { addDays, parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import type { PassRow, CheckRow, DayFacts, SliceRow, StageClosing } from '../../src/ledger/ledger.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import {
  DAY,
  NEXT_DAY,
  PROVISIONAL,
  QUICKLOOK,
  attempt,
  createClock,
  download,
  product,
  slice,
  temporaryFolder,
} from './support.ts';

/** Opens a new, empty ledger whose workspace is `root`. */
export type LedgerFactory = (root: string, now: () => number) => Promise<SqlLedger>;

const DESTINATION = 'file:///mnt/out';
const COUNTS = { records: 8, distinctReadings: 7, recordsPerSensor: { '?': 1, 'REACH-101': 7 } };

export function describeLedger(name: string, open: LedgerFactory): void {
  async function setUp() {
    const root = temporaryFolder();
    const clock = createClock();
    const ledger = await open(root, clock.now);
    const factsOf = async (day: Day = DAY, destination: string | null = null): Promise<DayFacts> =>
      (await ledger.dayFacts(QUICKLOOK, day, day, destination))[0]!;
    const rows = () => ledger.attemptsAfter(0, 1000);
    return { root, clock, ledger, factsOf, rows };
  }

  const downloaded = (root: string): StageClosing => ({
    status: 'DOWNLOADED',
    seconds: 0.006,
    records: 8,
    sizeBytes: 629,
    path: download(root).path,
  });
  const processed = (root: string): StageClosing => ({
    status: 'PROCESSED',
    seconds: 0.002,
    sizeBytes: 2_000_000,
    path: product(root).path,
    inputPath: download(root).path,
  });
  const uploaded: StageClosing = { status: 'UPLOADED', seconds: 0.5, bucket: DESTINATION, key: 'l1c/x.cdf' };

  describe(`${name}: attempts`, () => {
    test('a PENDING row and the row that closes it share run and start time (TEL-5)', async () => {
      const { root, clock, ledger, rows } = await setUp();
      await ledger.openStage(attempt());
      clock.advance(7);
      await ledger.closeStage(attempt(), downloaded(root));
      const [opening, closing] = await rows();
      expect(opening).toMatchObject({ status: 'DOWNLOAD_PENDING', finished_at: null, expected: 1_105_920 });
      expect(closing).toMatchObject({
        status: 'DOWNLOADED',
        run_id: 'run-1',
        started_at: '2025-11-21T05:05:54.414000+00:00',
        finished_at: '2025-11-21T05:05:54.421000+00:00',
        records: 8,
        expected: 1_105_920,
      });
    });

    test('every stage method twice leaves what once leaves', async () => {
      const { root, clock, ledger, rows } = await setUp();
      const build = attempt({ stage: 'build' });
      const upload = attempt({ stage: 'upload', destination: DESTINATION });
      const steps = [
        () => ledger.openStage(attempt()),
        () => ledger.closeStage(attempt(), downloaded(root)),
        () => ledger.openStage(build),
        () => ledger.closeStage(build, processed(root)),
        () => ledger.openStage(upload),
        () => ledger.closeStage(upload, uploaded),
        () => ledger.recordNoInput('run-1', QUICKLOOK, NEXT_DAY),
        () => ledger.failStage(attempt({ workflowRunId: 'wf-2' }), FAILURE),
      ];
      for (const step of steps) {
        await step();
        const once = await rows();
        clock.advance(1000);
        await step();
        expect(await rows()).toEqual(once);
      }
      expect((await rows()).map((row) => row.status)).toEqual([
        'DOWNLOAD_PENDING',
        'DOWNLOADED',
        'PROCESS_PENDING',
        'PROCESSED',
        'UPLOAD_PENDING',
        'UPLOADED',
        'SKIPPED_NO_INPUT',
        'DOWNLOAD_PENDING',
        'FAILED',
      ]);
    });

    test('a stage that was not opened is opened by its end', async () => {
      const { root, ledger, rows } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      expect((await rows()).map((row) => row.status)).toEqual(['DOWNLOAD_PENDING', 'DOWNLOADED']);
    });

    test.for<[Stage, string, string | undefined]>([
      ['download', 'DOWNLOAD_PENDING', undefined],
      ['build', 'PROCESS_PENDING', undefined],
      ['upload', 'UPLOAD_PENDING', DESTINATION],
    ])(
      'TEL-5: %s left open by a stopped workflow run is closed by the next one of the run, with the first start',
      async ([stage, pending, destination]) => {
        const { root, clock, ledger, rows } = await setUp();
        const of = (workflowRunId: string) =>
          attempt({ workflowRunId, stage, ...(destination !== undefined && { destination }) });
        const good = stage === 'download' ? downloaded(root) : stage === 'build' ? processed(root) : uploaded;
        await ledger.openStage(of('wf-1'));
        clock.advance(60_000);
        await ledger.openStage(of('wf-2'));
        await ledger.openStage(of('wf-2'));
        expect((await rows()).map((row) => row.status)).toEqual([pending]);
        clock.advance(1000);
        await ledger.closeStage(of('wf-2'), good);
        const once = await rows();
        expect(once.map((row) => row.status)).toEqual([pending, good.status]);
        expect(once[1]).toMatchObject({ run_id: 'run-1', started_at: once[0]?.started_at });
        await ledger.closeStage(of('wf-2'), good);
        await ledger.openStage(of('wf-2'));
        expect(await rows()).toEqual(once);
      },
    );

    test('a stage left open is given up once by the next workflow run; a retry of the failed day is a new pair (TEL-21)', async () => {
      const { root, clock, ledger, rows } = await setUp();
      await ledger.openStage(attempt());
      clock.advance(1500);
      await ledger.failStage(attempt({ workflowRunId: 'wf-2' }), FAILURE);
      await ledger.failStage(attempt({ workflowRunId: 'wf-2' }), FAILURE);
      const retry = attempt({ workflowRunId: 'wf-3' });
      await ledger.openStage(retry);
      clock.advance(500);
      await ledger.closeStage(retry, downloaded(root));
      const all = await rows();
      expect(all.map((row) => row.status)).toEqual(['DOWNLOAD_PENDING', 'FAILED', 'DOWNLOAD_PENDING', 'DOWNLOADED']);
      expect(all[1]).toMatchObject({ started_at: all[0]?.started_at, download_seconds: 1.5 });
      expect(all[2]?.started_at).not.toBe(all[0]?.started_at);
      expect(all[3]?.started_at).toBe(all[2]?.started_at);
    });

    test.for([
      ['another run', { runId: 'run-2' }],
      ['another day', { day: NEXT_DAY }],
      ['another product', { product: PROVISIONAL }],
      ['another stage', { stage: 'build' }],
      ['another destination', { destination: 'file:///b' }],
    ] as const)('%s does not take a stage that was left open', async ([, change]) => {
      const { ledger, rows } = await setUp();
      const left = attempt({ stage: 'upload', destination: 'file:///a' });
      await ledger.openStage(left);
      await ledger.openStage({ ...left, workflowRunId: 'wf-2', ...change });
      expect((await rows()).map((row) => row.workflow_run_id)).toEqual(['wf-1', 'wf-2']);
    });

    test('a count that fails in a later workflow run has the start of the download that the first one began', async () => {
      const { root, clock, ledger, rows } = await setUp();
      await ledger.openStage(attempt());
      clock.advance(500);
      await ledger.closeStage(attempt({ workflowRunId: 'wf-2' }), downloaded(root));
      await ledger.failStage(attempt({ workflowRunId: 'wf-2', stage: 'count' }), { ...FAILURE, stage: 'count' });
      const all = await rows();
      expect(all.map((row) => row.status)).toEqual(['DOWNLOAD_PENDING', 'DOWNLOADED', 'FAILED']);
      expect(all[2]?.started_at).toBe(all[0]?.started_at);
    });

    test('process rows copy what the download told; the input path is the one used (TEL-6)', async () => {
      const { root, ledger, rows } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      const brought = join(root, 'downloads', 'REACH-ALL_20250901T000000_by-hand.csv');
      await ledger.closeStage(attempt({ stage: 'build' }), { ...processed(root), inputPath: brought } as StageClosing);
      const told = { records: 8, expected: 1_105_920, download_seconds: 0.006, artifact_bytes: 629 };
      const [, , opening, closing] = await rows();
      expect(opening).toMatchObject({ ...told, status: 'PROCESS_PENDING', artifact_path: download(root).path });
      expect(closing).toMatchObject({ ...told, status: 'PROCESSED', artifact_path: brought, build_seconds: 0.002 });
    });

    test('upload rows carry the present product, failed ones too (TEL columns 19–21)', async () => {
      const { root, ledger, rows } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.closeStage(attempt({ stage: 'build' }), processed(root));
      await ledger.putArtifact(product(root, { path: join(root, 'products', 'v1.0.1.cdf'), sizeBytes: 5 }));
      const upload = attempt({ stage: 'upload', destination: DESTINATION });
      await ledger.failStage(upload, { ...FAILURE, stage: 'upload' });
      const carried = { build_seconds: 0.002, product_bytes: 5, product_path: join(root, 'products', 'v1.0.1.cdf') };
      const [opening, closing] = (await rows()).slice(-2);
      expect(opening).toMatchObject({ ...carried, status: 'UPLOAD_PENDING', upload_seconds: null });
      expect(closing).toMatchObject({ ...carried, status: 'FAILED', upload_seconds: 0, bucket: null });
    });

    test.for<[Stage, string, string]>([
      ['download', 'DOWNLOAD_PENDING', 'download_seconds'],
      ['build', 'PROCESS_PENDING', 'build_seconds'],
      ['upload', 'UPLOAD_PENDING', 'upload_seconds'],
    ])(
      'a day given up in %s: PENDING, then FAILED with the seconds of that stage (TEL-21)',
      async ([stage, pending, seconds]) => {
        const { clock, ledger, rows } = await setUp();
        const failing = attempt({ stage, destination: DESTINATION });
        await ledger.openStage(failing);
        clock.advance(1500);
        await ledger.failStage(failing, { stage, kind: 'slice_exhausted', message: 'HTTP 503,\nsix times' });
        const [opening, closing] = await rows();
        expect(opening).toMatchObject({ status: pending });
        expect(closing).toMatchObject({
          status: 'FAILED',
          stage,
          started_at: opening?.started_at,
          error_type: 'slice_exhausted',
          error_message: 'HTTP 503,\nsix times',
          [seconds]: 1.5,
        });
      },
    );

    test('a failed count has one row, told as the failure of the download it belongs to', async () => {
      const { root, clock, ledger, rows, factsOf } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      clock.advance(500);
      await ledger.failStage(attempt({ stage: 'count' }), { ...FAILURE, stage: 'count' });
      const all = await rows();
      expect(all.map((row) => row.status)).toEqual(['DOWNLOAD_PENDING', 'DOWNLOADED', 'FAILED']);
      expect(all[2]?.started_at).toBe(all[0]?.started_at);
      expect((await factsOf()).download).toMatchObject({
        status: 'FAILED',
        stage: 'count',
        errorType: 'slice_exhausted',
      });
    });

    test('a day is given up once per workflow run, and again by the next run', async () => {
      const { ledger, rows } = await setUp();
      await ledger.failStage(attempt(), FAILURE);
      await ledger.failStage(attempt({ stage: 'build' }), { ...FAILURE, stage: 'build' });
      await ledger.failStage(attempt({ workflowRunId: 'wf-2' }), FAILURE);
      expect((await rows()).filter((row) => row.status === 'FAILED').map((row) => row.workflow_run_id)).toEqual([
        'wf-1',
        'wf-2',
      ]);
    });

    test('no input is told only on change (TEL-19, TEL-D13)', async () => {
      const { root, ledger, rows } = await setUp();
      await ledger.recordNoInput('run-1', QUICKLOOK, DAY);
      await ledger.recordNoInput('run-2', QUICKLOOK, DAY);
      await ledger.closeStage(attempt({ stage: 'build' }), processed(root));
      await ledger.recordNoInput('run-2', QUICKLOOK, DAY);
      const noInput = (await rows()).filter((row) => row.status === 'SKIPPED_NO_INPUT');
      expect(noInput.map((row) => row.run_id)).toEqual(['run-1', 'run-2']);
      expect(noInput[0]?.started_at).toBe(noInput[0]?.finished_at);
    });

    test('the same day to two destinations are two attempts', async () => {
      const { ledger, rows } = await setUp();
      await ledger.closeStage(attempt({ stage: 'upload', destination: 'file:///a' }), uploaded);
      await ledger.closeStage(attempt({ stage: 'upload', destination: 'file:///b' }), uploaded);
      expect((await rows()).map((row) => `${row.status} ${row.destination}`)).toEqual([
        'UPLOAD_PENDING file:///a',
        'UPLOADED file:///a',
        'UPLOAD_PENDING file:///b',
        'UPLOADED file:///b',
      ]);
    });

    test('an end that does not fit the stage, and a PENDING row of the count, are refused', async () => {
      const { root, ledger, rows } = await setUp();
      await expect(ledger.closeStage(attempt({ stage: 'build' }), downloaded(root))).rejects.toThrow(RangeError);
      await expect(ledger.openStage(attempt({ stage: 'count' }))).rejects.toThrow(/count has no row/);
      expect(await rows()).toEqual([]);
    });
  });

  describe(`${name}: facts of days`, () => {
    test('a range gives one entry per day, ascending, also for days without any row', async () => {
      const { ledger } = await setUp();
      const facts = await ledger.dayFacts(QUICKLOOK, DAY, addDays(DAY, 2), null);
      expect(facts.map(({ day }) => day)).toEqual(['2025-09-01', '2025-09-02', '2025-09-03']);
      const nothing = {
        download: null,
        build: null,
        upload: null,
        artifact: null,
        productFile: null,
        delivery: null,
        check: null,
      };
      expect(facts[1]).toEqual({ day: '2025-09-02', counts: null, ...nothing });
    });

    test('the latest word of each phase stands beside the others (TEL-20); the upload per destination', async () => {
      const { root, ledger, factsOf } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.openStage(attempt({ stage: 'build' }));
      await ledger.closeStage(attempt({ stage: 'upload', destination: DESTINATION }), uploaded);
      await ledger.failStage(attempt({ workflowRunId: 'wf-2', stage: 'upload', destination: 'file:///b' }), FAILURE);
      const statuses = async (destination: string | null) => {
        const { download: phase1, build, upload } = await factsOf(DAY, destination);
        return [phase1?.status, build?.status, upload?.status];
      };
      expect(await statuses(DESTINATION)).toEqual(['DOWNLOADED', 'PROCESS_PENDING', 'UPLOADED']);
      expect(await statuses('file:///b')).toEqual(['DOWNLOADED', 'PROCESS_PENDING', 'FAILED']);
      expect(await statuses(null)).toEqual(['DOWNLOADED', 'PROCESS_PENDING', undefined]);
    });

    test('order of writing decides, not the clock (TEL-D10)', async () => {
      const { root, clock, ledger, factsOf } = await setUp();
      await ledger.failStage(attempt({ workflowRunId: 'wf-future' }), FAILURE);
      clock.advance(-3_600_000);
      await ledger.closeStage(attempt({ workflowRunId: 'wf-2' }), downloaded(root));
      expect((await factsOf()).download?.status).toBe('DOWNLOADED');
    });

    test('products do not see each other', async () => {
      const { root, ledger } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.putArtifact(download(root));
      const [facts] = await ledger.dayFacts(PROVISIONAL, DAY, DAY, null);
      expect(facts).toMatchObject({ download: null, artifact: null });
    });
  });

  describe(`${name}: files`, () => {
    test('a file comes back as it was put, with absolute path and the fraction of its time', async () => {
      const { root, ledger, factsOf } = await setUp();
      const outside = product(root, { path: '/elsewhere/reach_all.cdf' });
      await ledger.putArtifact(download(root));
      await ledger.putArtifact(outside);
      expect(await factsOf()).toMatchObject({ artifact: download(root), productFile: outside });
    });

    test('putting the same file again refreshes it; another hash or path supersedes the former', async () => {
      const { root, ledger, factsOf } = await setUp();
      await ledger.putArtifact(download(root));
      await ledger.putArtifact(download(root, { mtimeMs: 5, createdAt: '2026-01-01T00:00:00.000Z' }));
      expect((await factsOf()).artifact).toEqual(download(root, { mtimeMs: 5 }));
      const next = download(root, { sha256: 'd'.repeat(64) });
      const moved = download(root, { path: join(root, 'other.csv') });
      for (const row of [next, moved, download(root)]) {
        await ledger.putArtifact(row);
        await ledger.putArtifact(row);
        expect((await factsOf()).artifact).toEqual(row);
      }
    });

    test('a path has one owner; another product is refused by name (UDL-27, CDF-D1)', async () => {
      const { root, ledger } = await setUp();
      await ledger.putArtifact(download(root));
      expect(await ledger.artifactOwner(download(root).path)).toEqual({ product: QUICKLOOK, day: DAY });
      expect(await ledger.artifactOwner(join(root, 'nobody.csv'))).toBeNull();
      await expect(ledger.putArtifact(download(root, { product: PROVISIONAL }))).rejects.toMatchObject({
        kind: 'path_owned',
        message: expect.stringContaining(QUICKLOOK),
      });
      await ledger.putArtifact(download(root, { path: join(root, 'moved.csv') }));
      expect(await ledger.artifactOwner(download(root).path)).toBeNull();
    });

    test('files of other products on the same days can be listed', async () => {
      const { root, ledger } = await setUp();
      await ledger.putArtifact(download(root));
      await ledger.putArtifact(product(root, { product: PROVISIONAL, day: NEXT_DAY }));
      const others = await ledger.artifactsOfOthers(QUICKLOOK, DAY, NEXT_DAY);
      expect(others).toEqual([{ kind: 'product', product: PROVISIONAL, day: NEXT_DAY, path: product(root).path }]);
      expect(await ledger.artifactsOfOthers(QUICKLOOK, DAY, DAY)).toEqual([]);
    });

    test('a file removed on purpose is known as such until it is made again', async () => {
      const { root, ledger, factsOf } = await setUp();
      await ledger.putArtifact(download(root));
      await ledger.releaseArtifact(download(root).path);
      await ledger.releaseArtifact(download(root).path);
      expect((await factsOf()).artifact?.releasedAt).toBe('2025-11-21T05:05:54.414Z');
      await ledger.putArtifact(download(root));
      expect((await factsOf()).artifact?.releasedAt).toBeUndefined();
    });

    test('SAFE-11: what was replaced can be listed; a product that was brought back is known as such', async () => {
      const { root, ledger, factsOf } = await setUp();
      const first = product(root);
      const second = product(root, { path: join(root, 'v2.cdf'), sha256: 'e'.repeat(64), version: '1.0.1' });
      await ledger.putArtifact(first);
      await ledger.putArtifact(second);
      await ledger.putArtifact({ ...first, restoredFor: 'f'.repeat(64) });
      expect((await factsOf()).productFile).toEqual({ ...first, restoredFor: 'f'.repeat(64) });
      const at = '2025-11-21T05:05:54.414Z';
      const replaced = [first, second].map((row) => ({ ...row, supersededAt: at }));
      expect(await ledger.supersededFiles()).toEqual(replaced);
      expect(await ledger.supersededFiles({ first: NEXT_DAY })).toEqual([]);
      const editions = await ledger.productEditions(first.product, first.day);
      expect(editions.map(({ version }) => version)).toEqual([first.version, '1.0.1', first.version]);
    });

    test('counts belong to one content: those of a former file are not shown', async () => {
      const { root, ledger, factsOf } = await setUp();
      await ledger.putArtifact(download(root));
      await ledger.putCounts(QUICKLOOK, DAY, 'e'.repeat(64), COUNTS);
      expect((await factsOf()).counts).toBeNull();
      await ledger.putCounts(QUICKLOOK, DAY, 'a'.repeat(64), { ...COUNTS, records: 9 });
      await ledger.putCounts(QUICKLOOK, DAY, 'a'.repeat(64), COUNTS);
      expect((await factsOf()).counts).toEqual(COUNTS);
    });

    test('a delivery is known for its destination alone, the latest one', async () => {
      const { ledger, factsOf } = await setUp();
      const delivery = {
        product: QUICKLOOK,
        day: DAY,
        destination: DESTINATION,
        key: 'l1c/x.cdf',
        sizeBytes: 5,
        sha256: 'b'.repeat(64),
        deliveredAt: '2025-11-21T05:05:54.421Z',
      };
      await ledger.putDelivery({ ...delivery, sizeBytes: 4 });
      await ledger.putDelivery(delivery);
      expect((await factsOf(DAY, DESTINATION)).delivery).toEqual(delivery);
      expect((await factsOf(DAY, 'file:///b')).delivery).toBeNull();
      expect((await factsOf(DAY, null)).delivery).toBeNull();
    });

    test('a generation date is stamped once per input, profile and writer', async () => {
      const { ledger } = await setUp();
      expect(await ledger.generationDate('in', 'parity', 'w 1', '2025-11-21')).toBe('2025-11-21');
      expect(await ledger.generationDate('in', 'parity', 'w 1', '2026-01-01')).toBe('2025-11-21');
      expect(await ledger.generationDate('in', 'istp', 'w 1', '2026-01-01')).toBe('2026-01-01');
      expect(await ledger.generationDate('in', 'parity', 'w 2', '2026-01-01')).toBe('2026-01-01');
    });

    test('hashes of files brought by hand are remembered per folder', async () => {
      const { root, ledger } = await setUp();
      const file = { path: join(root, 'in', 'a.csv'), sizeBytes: 5, mtimeMs: 1.5, sha256: 'f'.repeat(64) };
      await ledger.putInputFile({ ...file, mtimeMs: 1 });
      await ledger.putInputFile(file);
      await ledger.putInputFile({ ...file, path: join(root, 'in', 'deeper', 'a.csv') });
      await ledger.putInputFile({ ...file, path: '/elsewhere/a.csv' });
      expect(await ledger.inputFiles(join(root, 'in'))).toEqual([file]);
      expect((await ledger.inputFiles('/elsewhere')).map(({ path }) => path)).toEqual(['/elsewhere/a.csv']);
      expect(await ledger.inputFiles(root)).toEqual([]);
    });
  });

  describe(`${name}: adoption`, () => {
    test('a file left without a row closes the PENDING row of the stage that was killed', async () => {
      const { root, ledger, factsOf, rows } = await setUp();
      await ledger.openStage(attempt());
      const row = download(root, { mtimeMs: Date.parse('2025-11-21T05:06:00.414Z') });
      await ledger.adoptArtifact(row, { counts: COUNTS, inputPath: null });
      const once = await rows();
      await ledger.adoptArtifact(row, { counts: COUNTS, inputPath: null });
      expect(await rows()).toEqual(once);
      expect(once.at(-1)).toMatchObject({
        status: 'DOWNLOADED',
        workflow_run_id: 'wf-1',
        started_at: once[0]?.started_at,
        finished_at: '2025-11-21T05:06:00.414000+00:00',
        download_seconds: 6,
        records: 8,
        artifact_path: row.path,
      });
      expect(await factsOf()).toMatchObject({ artifact: row, counts: COUNTS, download: { status: 'DOWNLOADED' } });
      await ledger.closeStage(attempt(), downloaded(root));
      expect(await rows()).toEqual(once);
    });

    test('a product likewise; a day without a PENDING row gets no row', async () => {
      const { root, ledger, rows } = await setUp();
      await ledger.openStage(attempt({ stage: 'build' }));
      await ledger.adoptArtifact(product(root), { counts: null, inputPath: '/in/a.csv' });
      await ledger.adoptArtifact(download(root), { counts: null, inputPath: null });
      expect((await rows()).map((row) => row.status)).toEqual(['PROCESS_PENDING', 'PROCESSED']);
      expect((await rows())[1]).toMatchObject({ product_path: product(root).path, artifact_path: '/in/a.csv' });
    });
  });

  describe(`${name}: slices`, () => {
    test('a slice is kept by its start; the latest word stands; times stay exact', async () => {
      const { ledger } = await setUp();
      const later = slice({ startMs: slice().endMs, endMs: slice().endMs + 300_000, status: 'empty', records: 0 });
      await ledger.putSlice(later);
      const other = { httpStatus: 502, seconds: 9, bytes: 9, outside: 9, updatedAt: '2025-11-22T00:00:00.000Z' };
      const wrong = { errorKind: 'wrong_kind', errorDetail: '<html>', sha256: 'f'.repeat(64), ...other };
      await ledger.putSlice(slice({ status: 'failed', failures: 3, ...wrong }));
      await ledger.putSlice(slice());
      await ledger.putSlice(slice());
      expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([slice(), later]);
      expect(await ledger.slices(PROVISIONAL, DAY)).toEqual([]);
    });

    test('a new run may ask again: failure counts of the day go back to 0', async () => {
      const { ledger } = await setUp();
      await ledger.putSlice(slice({ status: 'failed', failures: 6 }));
      await ledger.putSlice(slice({ day: NEXT_DAY, failures: 2 }));
      await ledger.resetSliceFailures(QUICKLOOK, DAY);
      await ledger.resetSliceFailures(QUICKLOOK, DAY);
      expect((await ledger.slices(QUICKLOOK, DAY))[0]?.failures).toBe(0);
      expect((await ledger.slices(QUICKLOOK, NEXT_DAY))[0]?.failures).toBe(2);
    });

    test('slices of another slice mode are dropped', async () => {
      const { ledger } = await setUp();
      const { startMs, endMs } = slice();
      await ledger.putSlice(slice());
      await ledger.putSlice(slice({ startMs: endMs + 1000, endMs: endMs + 300_000 }));
      await ledger.retainSlices(QUICKLOOK, DAY, [{ startMs, endMs }]);
      await ledger.retainSlices(QUICKLOOK, DAY, [{ startMs, endMs }]);
      expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([slice()]);
      await ledger.retainSlices(QUICKLOOK, DAY, [{ startMs, endMs: endMs - 1 }]);
      expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([]);
    });
  });

  describe(`${name}: many slices, and requests that brought nothing`, () => {
    const at = (index: number, change: Partial<SliceRow> = {}): SliceRow =>
      slice({ startMs: slice().startMs + index * 300_000, endMs: slice().startMs + (index + 1) * 300_000, ...change });

    test('a batch leaves what its rows one by one leave, twice as well; of one key the later stands', async () => {
      const one = await setUp();
      const many = await setUp();
      const rows = Array.from({ length: 1_200 }, (_, index) =>
        at(index % 700, { day: addDays(DAY, index % 3), records: index, status: index % 7 === 0 ? 'empty' : 'done' }),
      );
      for (const row of rows) await one.ledger.putSlice(row);
      await many.ledger.putSlices(rows);
      await many.ledger.putSlices(rows);
      await many.ledger.putSlices([]);
      for (const day of [DAY, NEXT_DAY, addDays(DAY, 2)]) {
        expect(await many.ledger.slices(QUICKLOOK, day)).toEqual(await one.ledger.slices(QUICKLOOK, day));
      }
    });

    test('a batch that does not fit is refused as a whole', async () => {
      const { ledger } = await setUp();
      const bad = at(1, { status: 'unheard-of' as SliceRow['status'] });
      await expect(ledger.putSlices([at(0), bad])).rejects.toThrow(/slices_status/);
      expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([]);
    });

    test('requests that failed or had to wait are kept in order, each once, their words readable', async () => {
      const { ledger } = await setUp();
      const paused = {
        product: QUICKLOOK,
        day: DAY,
        startMs: slice().startMs,
        endedAt: '2025-11-21T05:06:00.000Z',
        host: '127.0.0.1:9',
        kind: 'rate_limited',
        httpStatus: 429,
        retryAfter: '30',
        detail: 'HTTP 429 from 127.0.0.1:9',
        seconds: 0.25,
      };
      const earlier = { ...paused, endedAt: '2025-11-21T05:05:00.000Z', kind: 'wrong_kind', retryAfter: null };
      await ledger.putRequestFailure(paused);
      await ledger.putRequestFailure(paused);
      await ledger.putRequestFailure({ ...earlier, detail: 'a\0b' });
      expect(await ledger.requestFailures(QUICKLOOK, DAY)).toEqual([{ ...earlier, detail: 'a\uFFFDb' }, paused]);
      expect(await ledger.requestFailures(QUICKLOOK, NEXT_DAY)).toEqual([]);
    });
  });

  describe(`${name}: reports`, () => {
    async function filled() {
      const set = await setUp();
      const { root, ledger } = set;
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.putArtifact(download(root));
      await ledger.putCounts(QUICKLOOK, DAY, 'a'.repeat(64), COUNTS);
      await ledger.closeStage(attempt({ stage: 'build' }), processed(root));
      await ledger.putArtifact(product(root));
      await ledger.closeStage(attempt({ stage: 'upload', destination: DESTINATION }), uploaded);
      await ledger.putDelivery({
        product: QUICKLOOK,
        day: DAY,
        destination: DESTINATION,
        key: 'l1c/x.cdf',
        sizeBytes: 2_000_000,
        sha256: 'b'.repeat(64),
        deliveredAt: '2025-11-21T05:05:54.421Z',
      });
      await ledger.failStage(attempt({ workflowRunId: 'wf-2', day: NEXT_DAY }), FAILURE);
      await ledger.failStage(attempt({ workflowRunId: 'wf-3', product: PROVISIONAL }), FAILURE);
      return set;
    }

    test('days are counted by their latest status in each phase', async () => {
      const { ledger } = await filled();
      expect(await ledger.products()).toEqual([PROVISIONAL, QUICKLOOK]);
      const state = (phase: string, status: string) => ({
        product: QUICKLOOK,
        phase,
        destination: null,
        status,
        days: 1,
      });
      expect(await ledger.stateCounts({ product: QUICKLOOK })).toEqual([
        state('build', 'PROCESSED'),
        state('download', 'DOWNLOADED'),
        state('download', 'FAILED'),
        { ...state('upload', 'UPLOADED'), destination: DESTINATION },
      ]);
      expect(await ledger.stateCounts({ first: NEXT_DAY })).toEqual([state('download', 'FAILED')]);
      expect((await ledger.stateCounts()).map((count) => count.product)).toContain(PROVISIONAL);
    });

    test('failures name day, phase, cause and run, newest first; a day that went well since is not among them', async () => {
      const { root, ledger } = await filled();
      const failures = await ledger.latestFailures(10);
      expect(failures.map(({ product: slug, day }) => [slug, day])).toEqual([
        [PROVISIONAL, DAY],
        [QUICKLOOK, NEXT_DAY],
      ]);
      expect(failures[1]).toMatchObject({
        phase: 'download',
        kind: FAILURE.kind,
        message: FAILURE.message,
        runId: 'run-1',
        failedAt: '2025-11-21T05:05:54.414000+00:00',
      });
      expect(await ledger.latestFailures(1)).toHaveLength(1);
      await ledger.closeStage(attempt({ workflowRunId: 'wf-4', day: NEXT_DAY }), downloaded(root));
      expect(await ledger.latestFailures(10, { product: QUICKLOOK })).toEqual([]);
    });

    test('the day table has records, availability, sizes, seconds and where the product went', async () => {
      const { root, ledger } = await filled();
      const lines = await ledger.dayLines({ product: QUICKLOOK });
      expect(lines.map(({ day }) => day)).toEqual([DAY, NEXT_DAY]);
      expect(lines[0]).toEqual({
        product: QUICKLOOK,
        day: DAY,
        download: 'DOWNLOADED',
        build: 'PROCESSED',
        upload: 'UPLOADED',
        records: 8,
        distinctReadings: 7,
        availabilityPct: (8 / 1_105_920) * 100,
        downloadBytes: 629,
        productBytes: 2_000_000,
        downloadSeconds: 0.006,
        buildSeconds: 0.002,
        uploadSeconds: 0.5,
        productPath: product(root).path,
        destination: DESTINATION,
        deliveredKey: 'l1c/x.cdf',
        check: null,
        checkReason: null,
      });
      expect(lines[1]).toMatchObject({ download: 'FAILED', build: null, records: null, productPath: null });
      expect(await ledger.dayLines({ product: QUICKLOOK, last: DAY })).toHaveLength(1);
      // A run to one destination says nothing of what went to another.
      const there = (destination: string) => ledger.dayLines({ product: QUICKLOOK, last: DAY, destination });
      expect(await there(DESTINATION)).toEqual([lines[0]]);
      const nowhere = { upload: null, destination: null, deliveredKey: null };
      expect(await there('s3://another')).toEqual([{ ...lines[0], ...nowhere }]);
    });
  });

  describe(`${name}: days against the source`, () => {
    const CHECK: CheckRow = {
      product: QUICKLOOK,
      day: DAY,
      artifactSha256: 'a'.repeat(64),
      state: 'differs',
      kept: 8,
      counted: 9,
      reason: 'the source counts 9 records of the day, 8 are kept: 1 are missing',
      checkedAt: '2025-09-03T00:00:00.000Z',
      askedAt: '2025-09-04T00:00:00.000Z',
    };

    test('the latest comparison of a day stands, with its reason', async () => {
      const { ledger, factsOf } = await setUp();
      await ledger.putCheck({ ...CHECK, state: 'uncounted', counted: null, artifactSha256: null });
      await ledger.putCheck(CHECK);
      await ledger.putCheck(CHECK);
      expect((await factsOf()).check).toEqual(CHECK);
      expect((await factsOf(NEXT_DAY)).check).toBeNull();
      expect(await ledger.dayLines()).toMatchObject([{ day: DAY, check: 'differs', checkReason: CHECK.reason }]);
    });

    test('SAFE-13: days are counted by how they stand, and those that are not final apart', async () => {
      const { root, ledger } = await setUp();
      const days = [0, 1, 2, 3].map((count) => addDays(DAY, count));
      for (const [index, day] of days.entries()) {
        await ledger.closeStage(attempt({ workflowRunId: `wf-${index}`, day }), downloaded(root));
      }
      const late = { state: 'verified', reason: null, checkedAt: '2025-11-21T00:00:00.000Z' } as const;
      await ledger.putCheck({ ...CHECK, day: days[0]!, ...late });
      await ledger.putCheck({ ...CHECK, day: days[1]!, ...late, checkedAt: '2025-09-05T00:00:00.000Z' });
      await ledger.putCheck({ ...CHECK, day: days[2]! });
      // A day that failed is not one that stands anyhow.
      await ledger.failStage(attempt({ workflowRunId: 'wf-9', day: addDays(DAY, 9) }), FAILURE);
      const counts = [
        { product: QUICKLOOK, state: 'verified', days: 2, notFinal: 1 },
        // The fourth has no comparison: its download ended long after the day.
        { product: QUICKLOOK, state: 'uncounted', days: 1, notFinal: 0 },
        { product: QUICKLOOK, state: 'differs', days: 1, notFinal: 1 },
      ];
      expect(await ledger.checkCounts(parseDay('2026-06-01'))).toEqual(counts);
      expect(await ledger.checkCounts(addDays(DAY, 1))).toMatchObject([
        { notFinal: 2 },
        { notFinal: 1 },
        { notFinal: 1 },
      ]);
      expect(await ledger.checkCounts(parseDay('2026-06-01'), { first: days[2]!, last: days[2]! })).toEqual([
        counts[2],
      ]);
    });
  });

  describe(`${name}: reading`, () => {
    const at = (index: number, change: Partial<SliceRow> = {}): SliceRow =>
      slice({ startMs: slice().startMs + index * 300_000, endMs: slice().startMs + (index + 1) * 300_000, ...change });
    const refused = {
      product: QUICKLOOK,
      day: DAY,
      startMs: slice().startMs,
      endedAt: '2025-11-21T05:05:00.000Z',
      host: 'a:1',
      kind: 'wrong_kind',
      httpStatus: 200,
      retryAfter: null,
      detail: '<html>',
      seconds: 0.25,
    } as const;

    test('TRACK-12: failed days by cause, refusals by host, and how many days came in since a moment', async () => {
      const { root, clock, ledger } = await setUp();
      for (const [index, kind] of (['slice_exhausted', 'slice_exhausted', 'input_invalid'] as const).entries()) {
        await ledger.failStage(attempt({ workflowRunId: `f${index}`, day: addDays(DAY, index) }), { ...FAILURE, kind });
      }
      await ledger.putSlices([at(0, { day: addDays(DAY, 5) }), at(1, { day: addDays(DAY, 5) })]);
      await ledger.closeStage(attempt({ workflowRunId: 'd1', day: addDays(DAY, 5) }), downloaded(root));
      clock.advance(60_000);
      await ledger.closeStage(attempt({ workflowRunId: 'd2', day: addDays(DAY, 6) }), downloaded(root));
      for (const [index, host] of ['a:1', 'b:2', 'b:2'].entries()) {
        await ledger.putRequestFailure({ ...refused, host, startMs: refused.startMs + index });
      }
      const cause = (kind: string, days: number, firstDay: Day, lastDay: Day) => ({
        product: QUICKLOOK,
        phase: 'download',
        kind,
        days,
        firstDay,
        lastDay,
      });
      expect(await ledger.failureCauses()).toEqual([
        cause('input_invalid', 1, addDays(DAY, 2), addDays(DAY, 2)),
        cause('slice_exhausted', 2, DAY, NEXT_DAY),
      ]);
      expect(await ledger.failureCauses({ product: PROVISIONAL })).toEqual([]);
      expect(await ledger.hostRefusals()).toEqual([
        { host: 'b:2', kind: 'wrong_kind', requests: 2, latestAt: refused.endedAt },
        { host: 'a:1', kind: 'wrong_kind', requests: 1, latestAt: refused.endedAt },
      ]);
      expect(await ledger.unreadSlices()).toBe(0);
      const unread = { status: 'failed', errorKind: 'raw_unprocessed', records: null, sha256: null } as const;
      await ledger.putSlice(slice({ day: addDays(DAY, 2), ...unread }));
      await ledger.putSlice(slice({ product: PROVISIONAL, ...unread, errorKind: 'wrong_kind' }));
      expect(await ledger.unreadSlices()).toBe(1);
      const bytes = 2 * slice().bytes!;
      expect(await ledger.throughput('2025-11-21T00:00:00.000Z')).toEqual({
        days: 2,
        records: 7_680,
        bytes,
        firstAt: '2025-11-21T05:05:54.414000+00:00',
        lastAt: '2025-11-21T05:06:54.414000+00:00',
      });
      expect(await ledger.throughput('2025-11-21T05:06:00.000Z')).toMatchObject({ days: 1, records: 0 });
    });

    test('the history of a day has every row of it, former files too, and none of another day or product', async () => {
      const { root, ledger } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.closeStage(attempt({ workflowRunId: 'wf-2', day: NEXT_DAY }), downloaded(root));
      await ledger.putSlice(at(0));
      await ledger.putRequestFailure(refused);
      const former = download(root, { sha256: 'd'.repeat(64) });
      await ledger.putArtifact(former);
      await ledger.putArtifact(download(root));
      await ledger.putArtifact(product(root, { product: PROVISIONAL }));
      await ledger.putCounts(QUICKLOOK, DAY, 'a'.repeat(64), COUNTS);
      const killed: PassRow = {
        product: QUICKLOOK,
        day: DAY,
        workflowRunId: 'wf-1',
        stage: 'download',
        pass: 1,
        worker: 'process 7 on host',
        beganAt: '2025-11-21T05:00:00.000Z',
        endedAt: null,
        outcome: null,
        detail: null,
      };
      const again = { ...killed, pass: 2, beganAt: '2025-11-21T05:00:08.000Z' };
      for (const pass of [again, killed, { ...again, endedAt: '2025-11-21T05:00:09.000Z', outcome: 'done' }]) {
        await ledger.putPass(pass);
      }
      const histories = await ledger.dayHistories(DAY);
      expect(histories.map((history) => history.product)).toEqual([PROVISIONAL, QUICKLOOK]);
      expect(await ledger.dayHistories(DAY, QUICKLOOK)).toEqual([histories[1]]);
      expect(await ledger.dayHistories(addDays(DAY, 9))).toEqual([]);
      expect(histories[1]).toEqual({
        product: QUICKLOOK,
        day: DAY,
        attempts: (await ledger.attemptsAfter(0, 10)).slice(0, 2),
        passes: [killed, { ...again, endedAt: '2025-11-21T05:00:09.000Z', outcome: 'done' }],
        slices: [at(0)],
        requestFailures: [refused],
        files: [
          { ...former, supersededAt: '2025-11-21T05:05:54.414Z' },
          { ...download(root), supersededAt: null },
        ],
        counts: [{ artifactSha256: 'a'.repeat(64), ...COUNTS }],
        deliveries: [],
        check: null,
      });
    });

    test('days for gaps: state, records of the present file, and the slices that are poor', async () => {
      const { root, ledger } = await setUp();
      await ledger.closeStage(attempt(), downloaded(root));
      await ledger.putArtifact(download(root, { records: 9 }));
      await ledger.putSlices([
        at(0),
        at(1, { status: 'empty', records: 0 }),
        at(2, { records: 99 }),
        at(3, { records: 100 }),
      ]);
      const last = addDays(DAY, 3);
      await ledger.failStage(attempt({ workflowRunId: 'f', day: NEXT_DAY }), FAILURE);
      await ledger.putSlices([at(0, { day: NEXT_DAY, status: 'failed', records: null })]);
      await ledger.putArtifact(product(root, { day: addDays(DAY, 2), records: 7 }));
      const compared = {
        kept: 9,
        counted: null,
        reason: null,
        artifactSha256: null,
        askedAt: '2026-01-01T00:00:00.000Z',
      };
      const checkedAt = '2025-12-24T00:00:00.000Z';
      await ledger.putCheck({ product: QUICKLOOK, day: DAY, state: 'uncounted', ...compared, checkedAt });
      expect(await ledger.knownRange(QUICKLOOK)).toEqual({ first: DAY, last: NEXT_DAY });
      expect(await ledger.knownRange(PROVISIONAL)).toBeNull();
      const days = await ledger.gapDays({ product: QUICKLOOK, first: DAY, last, fewerThan: 100 });
      expect(days.map(({ day, download: state, records, hasSlices }) => [day, state, records, hasSlices])).toEqual([
        [DAY, 'done', 9, true],
        [NEXT_DAY, 'failed', null, true],
        [addDays(DAY, 2), 'none', 7, false],
        [last, 'none', null, false],
      ]);
      expect(days.map((day) => day.checkedAt)).toEqual([checkedAt, null, null, null]);
      expect(days.map(({ poorSlices }) => poorSlices.map(({ status, records }) => [status, records]))).toEqual([
        [
          ['empty', 0],
          ['done', 99],
        ],
        [['failed', 0]],
        [],
        [],
      ]);
    });
  });

  test(`${name}: TRACK-13: sums and states always agree with what they are made of, whatever is written`, async () => {
    const { root, ledger } = await setUp();
    const ends = [0, 1, 2, 3].map((index) => slice({ startMs: index, endMs: index + 1 }));
    const step = fc.oneof(
      fc.record({ kind: fc.constant('slices'), day: fc.nat(2), n: fc.nat(3), failed: fc.boolean() }),
      fc.record({ kind: fc.constant('retain'), day: fc.nat(2), n: fc.nat(3), failed: fc.boolean() }),
      fc.record({ kind: fc.constant('stage'), day: fc.nat(2), n: fc.nat(5), failed: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        for (const { kind, day: number, n, failed } of steps) {
          const day = addDays(DAY, number);
          const change = failed ? ({ status: 'failed', records: null } as const) : {};
          if (kind === 'slices') await ledger.putSlices(ends.slice(n).map((row) => ({ ...row, day, ...change })));
          else if (kind === 'retain') await ledger.retainSlices(QUICKLOOK, day, ends.slice(0, n));
          else {
            const of = attempt({ workflowRunId: `wf-${n}-${number}`, runId: `r-${n}`, day });
            await (failed ? ledger.failStage(of, FAILURE) : ledger.closeStage(of, downloaded(root)));
          }
        }
        expect((await ledger.checkIntegrity()).problems).toEqual([]);
      }),
      { numRuns: 12 },
    );
    const { rows } = await ledger.checkIntegrity();
    expect(rows['attempts']).toBe((await ledger.attemptsAfter(0, 1000)).length);
    const day = addDays(DAY, 30);
    await ledger.putDelivery({
      product: QUICKLOOK,
      day,
      destination: DESTINATION,
      key: 'l1c/x.cdf',
      sizeBytes: 5,
      sha256: 'b'.repeat(64),
      deliveredAt: '2025-11-21T05:05:54.421Z',
    });
    expect((await ledger.checkIntegrity()).problems).toEqual([
      `deliveries: ${QUICKLOOK} ${day} delivered l1c/x.cdf, which is none of its products.`,
    ]);
  });

  test(`${name}: a NUL in a message is stored as a readable sign`, async () => {
    const { ledger, rows } = await setUp();
    await ledger.failStage(attempt(), { ...FAILURE, message: 'a\0b' });
    expect((await rows()).at(-1)?.error_message).toBe('a\uFFFDb');
  });

  test(`${name}: one sensor's product expects one sensor's records`, async () => {
    const { ledger, rows } = await setUp();
    const slug = 'reach-101/provisional/json';
    expect(parseProductSlug(slug).sensor).toBe('REACH-101');
    await ledger.openStage(attempt({ product: slug }));
    expect((await rows())[0]?.expected).toBe(34_560);
  });
}

const FAILURE = { stage: 'download', kind: 'slice_exhausted', message: 'slice 12 failed 6 times: HTTP 503' } as const;
