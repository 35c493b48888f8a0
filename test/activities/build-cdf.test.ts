import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { beforeAll, describe, expect, test } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { buildL1c } from '../../src/products/reach-l1c/index.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import { CSV_SAMPLE, DAY_NAME, buildRequest, goodRecords, record, toCsv } from '../products/reach-l1c/support.ts';
import {
  ALL,
  KILLED,
  createPlace,
  dayAttempt,
  engine,
  failureOf,
  filesBelow,
  identity,
  putDownload,
  sha256,
  tryStage,
} from './set-up.ts';
import type { Place } from './set-up.ts';

const SAMPLE_DAY = parseDay('2025-09-04');
const DAY = parseDay('2026-01-01');
const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';
const HIDDEN_KEY = 'l1c/prelim/2026/01/01/.reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf.manifest';
const NEXT_KEY = KEY.replace('v1.0.0', 'v1.0.1');
const HIDDEN_NEXT_KEY = HIDDEN_KEY.replace('v1.0.0', 'v1.0.1');
const LATER_KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000005_v1.0.0.cdf';
const TEN = toCsv(goodRecords(10));
const build = (place: Place, options: Parameters<typeof dayAttempt>[0] = {}) =>
  tryStage(place, 'buildCdf', dayAttempt({ day: DAY, ...options }));
const products = (place: Place): string[] => filesBelow(place.workspace.products);
const product = (place: Place, key = KEY): string => join(place.workspace.products, key);
const visible = (names: readonly string[]): string[] => names.filter((name) => !name.endsWith('.manifest'));

async function placeWith(csv: string | Buffer = TEN, day = DAY): Promise<Place> {
  const place = await createPlace();
  await putDownload(place, day, csv);
  return place;
}

describe('a day is built', () => {
  test('the real sample: its product stands at its key, with manifest, row and telemetry', async () => {
    const place = await placeWith(readFileSync(CSV_SAMPLE), SAMPLE_DAY);
    const result = await build(place, { day: SAMPLE_DAY });
    const path = product(place, 'l1c/prelim/2025/09/04/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');
    const { sha256: hash } = identity(path);
    const sizeBytes = readFileSync(path).length;
    expect(result).toMatchObject({ productPath: path, productBytes: sizeBytes, productSha256: hash, records: 716 });
    const inputSha256 = sha256(readFileSync(CSV_SAMPLE));
    const facts = {
      product: ALL,
      day: SAMPLE_DAY,
      sizeBytes,
      sha256: hash,
      inputSha256,
      profile: 'parity',
      records: 716,
    };
    expect(await readManifest(path)).toMatchObject({ kind: 'product', sensors: 32, times: 13, ...facts });
    const [row] = await place.ledger.dayFacts(ALL, SAMPLE_DAY, SAMPLE_DAY, null);
    expect(row?.productFile).toMatchObject({ path, ...facts });
    expect(await place.rows()).toEqual(['build PROCESS_PENDING', 'build PROCESSED']);
    expect(place.telemetry()).toContain(path);
  });

  test('the order of effects: told before, made, then recorded, then told', async () => {
    const place = await placeWith();
    const stood: Record<string, string[]> = {};
    for (const effect of ['generationDate', 'putArtifact', 'closeStage']) {
      place.before(effect, () => {
        stood[effect] = products(place);
      });
    }
    await build(place);
    expect(place.effects).toEqual([
      'openStage',
      'telemetry',
      'generationDate',
      'putArtifact',
      'closeStage',
      'telemetry',
    ]);
    expect(stood).toEqual({ generationDate: [], putArtifact: [HIDDEN_KEY, KEY], closeStage: [HIDDEN_KEY, KEY] });
  });

  test('twice: the same file, untouched, and one row', async () => {
    const place = await placeWith();
    const first = await build(place);
    const before = identity(product(place));
    expect(await build(place)).toEqual({ ...first, seconds: expect.any(Number) as number });
    expect(identity(product(place))).toEqual(before);
    expect(await place.rows()).toEqual(['build PROCESS_PENDING', 'build PROCESSED']);
  });

  test('again on another day, because the file was lost: the same bytes', async () => {
    const place = await placeWith();
    await build(place);
    const before = identity(product(place)).sha256;
    rmSync(product(place));
    const later = createActivities({ ...place.deps, today: () => '2031-07-07' });
    await tryStage({ activities: later }, 'buildCdf', dayAttempt({ day: DAY, run: 'workflow-run-2' }));
    expect(identity(product(place)).sha256).toBe(before);
  });

  test('another profile is another product at the same place; the former goes to the backups', async () => {
    const place = await placeWith();
    await build(place);
    const parity = identity(product(place)).sha256;
    await build(place, { options: { profile: 'istp' }, run: 'workflow-run-2' });
    const istp = identity(product(place)).sha256;
    expect(istp).not.toBe(parity);
    const backups = visible(filesBelow(place.workspace.backups));
    expect(backups.map((name) => identity(join(place.workspace.backups, name)).sha256)).toEqual([parity]);
  });
});

describe('killed', () => {
  let undisturbed: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reachback-build-'));
    const [inputPath, outputPath] = [join(folder, `${DAY_NAME}.csv`), join(folder, 'x.cdf')];
    writeFileSync(inputPath, TEN);
    const { sha256: hash } = await buildL1c(buildRequest({ inputPath, outputPath, generationDate: '2026-02-01' }));
    await rm(folder, { recursive: true });
    undisturbed = hash;
  });

  test.for(['putArtifact', 'closeStage', 'generationDate'])(
    'right before %s: the next try leaves the same bytes, no backup and one row',
    async (effect) => {
      const place = await placeWith();
      place.before(effect, () => {
        throw KILLED;
      });
      await expect(build(place)).rejects.toThrow(KILLED.message);
      place.calm();
      await build(place);
      expect(products(place)).toEqual([HIDDEN_KEY, KEY]);
      expect(identity(product(place)).sha256).toBe(undisturbed);
      expect(existsSync(place.workspace.backups)).toBe(false);
      expect(await place.rows()).toEqual(['build PROCESS_PENDING', 'build PROCESSED']);
    },
  );

  test.for(['openStage', 'generationDate'] as const)(
    'SAFE-5: by the end of its worker at %s: cancelled, and nothing stays',
    async (effect) => {
      const place = await placeWith();
      const environment = engine();
      place.before(effect, () => environment.cancel('WORKER_SHUTDOWN'));
      const trying = tryStage(place, 'buildCdf', dayAttempt({ day: DAY }), environment);
      await expect(trying).rejects.toBeInstanceOf(CancelledFailure);
      expect(products(place)).toEqual([]);
      expect(await place.rows()).toEqual(['build PROCESS_PENDING']);
    },
  );

  test('SAFE-5: in the middle of reading: cancelled, and nothing stays', async () => {
    const [header = '', ...lines] = TEN.trimEnd().split('\r\n');
    const long = [header, ...Array.from({ length: 4_000 }, () => lines).flat()].join('\r\n');
    const place = await placeWith(`${long}\r\n`);
    const environment = engine();
    const beats: unknown[] = [];
    environment.on('heartbeat', (beat: unknown) => {
      // Before the first progress a beat says nothing.
      if (beat === undefined) return;
      beats.push(beat);
      environment.cancel('WORKER_SHUTDOWN');
    });
    const trying = tryStage(place, 'buildCdf', dayAttempt({ day: DAY }), environment);
    await expect(trying).rejects.toBeInstanceOf(CancelledFailure);
    expect(beats[0]).toMatchObject({ phase: 'reading' });
    expect(products(place)).toEqual([]);
  });
});

describe('what stands in the way', () => {
  test('SAFE-11: other content goes to the backups with its manifest before the new one takes its place', async () => {
    const place = await placeWith();
    await build(place);
    const former = identity(product(place)).sha256;
    await putDownload(place, DAY, toCsv(goodRecords(11)));
    let kept: string[] = [];
    place.before('putArtifact', () => {
      kept = filesBelow(place.workspace.backups);
    });
    await build(place, { run: 'workflow-run-2' });
    expect(kept).toHaveLength(2);
    const [manifest, file] = kept.map((name) => join(place.workspace.backups, name));
    expect(identity(file!).sha256).toBe(former);
    expect(JSON.parse(readFileSync(manifest!, 'utf8'))).toMatchObject({ sha256: former });
    expect(products(place).filter((name) => !name.startsWith('_backup/'))).toEqual([HIDDEN_NEXT_KEY, NEXT_KEY]);
    expect(identity(product(place, NEXT_KEY)).sha256).not.toBe(former);
    const [facts] = await place.ledger.dayFacts(ALL, DAY, DAY, null);
    expect(facts?.productFile).toMatchObject({ path: product(place, NEXT_KEY), version: '1.0.1' });
  });

  test('UDL-D14: data that change again give the next version; the same data keep theirs', async () => {
    const place = await placeWith();
    for (const [index, records] of [10, 11, 12, 12].entries()) {
      await putDownload(place, DAY, toCsv(goodRecords(records)));
      await build(place, { run: `workflow-run-${index}` });
    }
    const present = visible(products(place)).filter((name) => !name.startsWith('_backup/'));
    expect(present).toEqual([KEY.replace('v1.0.0', 'v1.0.2')]);
  });

  test('`process` builds what lies in the folder, always under the same name', async () => {
    const place = await placeWith();
    const options = { mode: 'process' } as const;
    await build(place, { options });
    await putDownload(place, DAY, toCsv(goodRecords(11)));
    await build(place, { options, run: 'workflow-run-2' });
    expect(products(place).filter((name) => !name.startsWith('_backup'))).toContain(KEY);
    expect(filesBelow(place.workspace.backups)).toHaveLength(2);
  });

  test('SAFE-11: a file that somebody put there is kept too', async () => {
    const place = await placeWith();
    await build(place);
    writeFileSync(product(place), 'mine');
    await build(place, { run: 'workflow-run-2' });
    const [backup] = visible(filesBelow(place.workspace.backups));
    expect(readFileSync(join(place.workspace.backups, backup!), 'utf8')).toBe('mine');
  });

  const later = toCsv(goodRecords(10).slice(1));

  test('CDF-D2: a day with an earlier first record gets another name; the former name goes to the backups', async () => {
    const place = await placeWith(later);
    await build(place);
    expect(visible(products(place))).toEqual([LATER_KEY]);
    const former = identity(product(place, LATER_KEY)).sha256;
    await putDownload(place, DAY, TEN);
    await build(place, { run: 'workflow-run-2' });
    const { backups } = place.workspace;
    const inBackups = visible(filesBelow(backups));
    expect(inBackups.map((name) => identity(join(backups, name)).sha256)).toEqual([former]);
    rmSync(backups, { recursive: true });
    expect(products(place)).toEqual([HIDDEN_NEXT_KEY, NEXT_KEY]);
  });

  test('CDF-D2: also when it was killed before the ledger knew', async () => {
    const place = await placeWith(later);
    await build(place);
    await putDownload(place, DAY, TEN);
    place.before('putArtifact', () => {
      throw KILLED;
    });
    await expect(build(place, { run: 'workflow-run-2' })).rejects.toThrow(KILLED.message);
    place.calm();
    await build(place, { run: 'workflow-run-2' });
    rmSync(place.workspace.backups, { recursive: true });
    expect(products(place)).toEqual([HIDDEN_NEXT_KEY, NEXT_KEY]);
  });

  test('CDF-D1: a path of another product is refused and left alone', async () => {
    const place = await placeWith();
    await build(place);
    const before = identity(product(place));
    const other = { product: 'reach-all/provisional', run: 'workflow-run-2', options: { mode: 'process' } } as const;
    const failure = await failureOf(build(place, other));
    expect(failure).toMatchObject({ type: 'path_owned', nonRetryable: true });
    expect(failure.message).toContain('reach-all/quicklook');
    expect(failure.details?.[0]).toHaveProperty('hint', expect.stringContaining('--workspace'));
    expect(identity(product(place))).toEqual(before);
    expect(existsSync(place.workspace.backups)).toBe(false);
  });

  test('a file whose records are of a day that is built already does not replace it', async () => {
    const place = await placeWith();
    await build(place);
    const before = identity(product(place));
    const next = parseDay('2026-01-02');
    await putDownload(place, next, toCsv(goodRecords(3)));
    const failure = await failureOf(build(place, { day: next }));
    expect(failure).toMatchObject({ type: 'input_invalid', nonRetryable: true });
    expect(failure.message).toMatch(/the product of 2026-01-01; that of 2026-01-02/);
    expect(identity(product(place))).toEqual(before);
    expect(existsSync(place.workspace.backups)).toBe(false);
  });
});

describe('what cannot be built', () => {
  test('an input that changed since its download', async () => {
    const place = await createPlace();
    const { path } = await putDownload(place, DAY, TEN);
    writeFileSync(path, toCsv(goodRecords(9)));
    const failure = await failureOf(build(place));
    expect(failure).toMatchObject({ type: 'checksum_mismatch', nonRetryable: true });
    expect(failure.message).toContain(path);
    expect(products(place)).toEqual([]);
  });

  test('no input: which folder, and what to do', async () => {
    const place = await createPlace();
    const failure = await failureOf(build(place, { options: { mode: 'process' } }));
    expect(failure).toMatchObject({ type: 'input_invalid', nonRetryable: true });
    expect(failure.message).toContain(place.workspace.downloads);
    expect(failure.details?.[0]).toHaveProperty('hint', expect.stringContaining('reachback download'));
  });

  test.for<[string, string, string]>([
    ['input_invalid', 'nothing usable', 'a,b\r\n1,2\r\n'],
    ['quarantine_exceeded', 'CDF-D10: too many unusable rows', toCsv([...goodRecords(9), record({ obTime: 'soon' })])],
  ])('%s: %s ends the day and leaves nothing', async ([kind, , csv]) => {
    const place = await placeWith(csv);
    expect(await failureOf(build(place))).toMatchObject({ type: kind, nonRetryable: true });
    expect(products(place)).toEqual([]);
    expect(await place.rows()).toEqual(['build PROCESS_PENDING']);
  });
});
