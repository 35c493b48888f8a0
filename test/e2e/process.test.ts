import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { createPlace, fileHashes, filesBelow } from './harness.ts';
import type { Place } from './harness.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/reach');
const CSV_SAMPLE = join(FIXTURES, 'REACH-TEST_20250904T000000_20250904T010000.csv');
const JSON_SAMPLE = join(FIXTURES, 'REACH-ALL_20251201T013010_20251205T060517.json');
const PACE = ['--initial-rate', '1000', '--max-rate', '1000', '--max-concurrent-requests', '8'];

function download(place: Place, ...more: string[]): string[] {
  const range = ['--start-date', '2025-09-01', '--end-date', '2025-09-02', '--sensor-id', 'REACH-101'];
  return ['download', ...range, '--output-dir', './out', ...PACE, ...more];
}

function processing(place: Place, ...more: string[]): string[] {
  const range = ['--start-date', '2025-09-01', '--end-date', '2025-09-02', '--sensor-id', 'REACH-101'];
  return ['process', ...range, '--input-dir', './out', '--output-dir', './out_cdf', ...more];
}

/** Makes a ledger look as an older version left it. */
function takeBackAStep(ledger: string): void {
  const raw = new Database(ledger);
  raw.exec(`drop index attempts_told; delete from kysely_migration where name = '0010-told-attempts'`);
  raw.close();
}

describe('download and process, as the reference has them', () => {
  test('CLI-19, CLI-22, TEL-D1, TRACK-16: download, process; again, also by a newer version, they send and build nothing, but what is missing comes back (CLI-12, CLI-16) and is delivered (CLI-17)', async () => {
    const place = await createPlace();
    const downloaded = await place.run(download(place));
    expect(downloaded.code).toBe(0);
    expect(downloaded.stdout).toContain(
      'download: planned=2 downloaded=2 skipped_existing=0 skipped_no_data=0 failed=0',
    );
    expect(place.simulator.stats().requests).toBe(2 * 5);
    const processed = await place.run(processing(place), { BASICAUTH: undefined });
    expect(processed.code).toBe(0);
    expect(processed.stdout).toContain(
      'process: planned=2 processed=2 uploaded=0 skipped_existing=0 skipped_no_input=0 failed=0',
    );
    const products = fileHashes(join(place.dir, 'out_cdf'));
    expect(Object.keys(products).filter((path) => path.endsWith('.cdf'))).toEqual([
      'l1c/prelim/2025/09/01/reach_101_l1c_prelim_20250901T000000_v1.0.0.cdf',
      'l1c/prelim/2025/09/02/reach_101_l1c_prelim_20250902T000000_v1.0.0.cdf',
    ]);
    takeBackAStep(join(place.dir, 'out/.reachback/reachback.db'));
    const looked = await place.run(['status', '--workspace', './out']);
    expect(looked).toMatchObject({ code: 2, stderr: expect.stringContaining('reachback run') });
    const again = await place.run(download(place));
    expect(again.stdout).toContain('skipped_existing=2');
    expect(place.simulator.stats().requests).toBe(2 * 5);
    const noBuild = await place.run(processing(place));
    expect(noBuild.stdout).toContain('processed=0 uploaded=0 skipped_existing=2');
    expect(fileHashes(join(place.dir, 'out_cdf'))).toEqual(products);

    // CLI-16: a deleted CDF is rebuilt to the same bytes.
    const [cdf] = filesBelow(join(place.dir, 'out_cdf')).filter((path) => path.endsWith('.cdf'));
    rmSync(cdf!);
    expect((await place.run(processing(place))).stdout).toContain('processed=1 uploaded=0 skipped_existing=1');
    expect(fileHashes(join(place.dir, 'out_cdf'))).toEqual(products);
    // CLI-12: a deleted artifact is downloaded again.
    rmSync(join(place.dir, 'out/REACH-101_20250901T000000_20250902T000000.csv'));
    expect((await place.run(download(place))).stdout).toContain('downloaded=1 skipped_existing=1');
    expect(place.simulator.stats().requests).toBe(3 * 5);
    // CLI-17: made locally before, wanted delivered now: uploads the existing CDFs only.
    const uploaded = await place.run(processing(place, '--upload-to', `file://${place.delivered}`));
    expect(uploaded.stdout).toContain('processed=0 uploaded=2');
    expect(Object.keys(fileHashes(place.delivered))).toHaveLength(2);
  });

  test('CLI-22, TEL-D9: relative folders mean the same files when the work goes on from another folder', async () => {
    const place = await createPlace();
    const elsewhere = join(place.dir, 'some', 'where');
    mkdirSync(elsewhere, { recursive: true });
    const days = ['--start-date', '2025-09-01', '--end-date', '2025-09-02', '--sensor-id', 'REACH-101'];
    const first = await place.run(['download', ...days, '--limit-days', '1', '--output-dir', './out', ...PACE]);
    expect(first.stdout).toContain('downloaded=1');
    const resumed = await place.run(['download', ...days, '--output-dir', '../../out', ...PACE], {}, elsewhere);
    expect(resumed.stdout).toContain('downloaded=1 skipped_existing=1');
    expect(place.simulator.stats().requests).toBe(2 * 5);
    const there = ['process', ...days, '--input-dir', '../../out', '--output-dir', '../../out_cdf'];
    expect((await place.run(there, {}, elsewhere)).stdout).toContain('processed=2 ');
    expect((await place.run(processing(place))).stdout).toContain('processed=0 uploaded=0 skipped_existing=2');
    expect(filesBelow(elsewhere)).toEqual([]);
    const telemetry = readFileSync(join(place.dir, 'out/download_telemetry.csv'), 'utf8');
    expect(telemetry.match(/\.\.\//g)).toBeNull();
    expect(telemetry.split(`${place.dir}/out/REACH-101_`).length).toBeGreaterThan(4);
  });

  test('CDF-22, CLI-18: real records brought by hand; days without input are reported and picked up when it arrives', async () => {
    const place = await createPlace();
    const input = join(place.dir, 'in');
    mkdirSync(input);
    const args = [
      'process',
      '--start-date',
      '2025-09-04',
      '--end-date',
      '2025-09-05',
      '--input-dir',
      input,
      '--output-dir',
      join(place.dir, 'cdf'),
    ];
    const nothing = await place.run(args);
    expect(nothing.code).toBe(0);
    expect(nothing.stdout).toContain('processed=0 uploaded=0 skipped_existing=0 skipped_no_input=2');
    copyFileSync(CSV_SAMPLE, join(input, 'REACH-ALL_20250904T000000_20250905T000000.csv'));
    const arrived = await place.run(args);
    expect(arrived.code).toBe(0);
    expect(arrived.stdout).toContain('processed=1 uploaded=0 skipped_existing=0 skipped_no_input=1');
    expect(filesBelow(join(place.dir, 'cdf')).filter((path) => path.endsWith('.cdf'))).toEqual([
      join(place.dir, 'cdf/l1c/prelim/2025/09/04/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf'),
    ]);
  });

  test('CLI-20: a raised pace is used, and stays below --max-rate and --max-concurrent-requests', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 150 } }] });
    const range = ['--start-date', '2025-09-01', '--end-date', '2025-09-01', '--output-dir', './out'];
    const pace = ['--max-concurrent-requests', '8', '--initial-rate', '60', '--max-rate', '80'];
    expect((await place.run(['download', ...range, ...pace])).code).toBe(0);
    const { concurrentPeak, peakPerSecond } = place.simulator.stats();
    // Four are the standard.
    expect(concurrentPeak).toBeGreaterThan(4);
    expect(concurrentPeak).toBeLessThanOrEqual(8);
    expect(peakPerSecond).toBeLessThanOrEqual(81);
  });

  test('CLI-14: an upload that failed is done again by --retry-failed alone, without a build', async () => {
    const place = await createPlace();
    const range = ['--start-date', '2025-09-04', '--end-date', '2025-09-04'];
    const args = (name: string, descriptor: string): string[] => {
      const input = join(place.dir, name);
      mkdirSync(input, { recursive: true });
      copyFileSync(CSV_SAMPLE, join(input, 'REACH-ALL_20250904T000000_20250905T000000.csv'));
      const folders = ['--input-dir', input, '--output-dir', join(place.dir, `${name}_cdf`)];
      return ['process', ...range, ...folders, '--descriptor', descriptor, '--upload-to', `file://${place.delivered}`];
    };
    // Both products have the same name there: the second one may not take the place of the first.
    expect((await place.run(args('first', 'QUICKLOOK'))).stdout).toContain('processed=1 uploaded=1');
    const second = args('second', 'PROVISIONAL');
    const failed = await place.run(second);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('processed=1 uploaded=0 skipped_existing=0 skipped_no_input=0 failed=1');
    const built = fileHashes(join(place.dir, 'second_cdf'));
    expect(Object.keys(built).filter((path) => path.endsWith('.cdf'))).toHaveLength(1);
    rmSync(place.delivered, { recursive: true });
    const retried = await place.run([...second, '--retry-failed']);
    expect(retried.code).toBe(0);
    expect(retried.stdout).toContain('processed=0 uploaded=1 skipped_existing=0 skipped_no_input=0 failed=0');
    expect(fileHashes(join(place.dir, 'second_cdf'))).toEqual(built);
    expect(Object.keys(fileHashes(place.delivered))).toHaveLength(1);
  });

  test('CLI-15: a build that failed stays failed until --retry-failed, then the mended input is built', async () => {
    const place = await createPlace();
    const input = join(place.dir, 'in');
    mkdirSync(input);
    const file = join(input, 'REACH-ALL_20250904T000000_20250905T000000.csv');
    writeFileSync(file, 'this,is\nno,download\n');
    const range = ['--start-date', '2025-09-04', '--end-date', '2025-09-04'];
    const args = ['process', ...range, '--input-dir', input, '--output-dir', join(place.dir, 'cdf')];
    const failed = await place.run(args);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('processed=0 uploaded=0 skipped_existing=0 skipped_no_input=0 failed=1');
    copyFileSync(CSV_SAMPLE, file);
    const left = await place.run(args);
    expect(left.code).toBe(1);
    expect(left.stdout).toContain('add --retry-failed');
    expect(filesBelow(join(place.dir, 'cdf')).filter((path) => path.endsWith('.cdf'))).toEqual([]);
    const retried = await place.run([...args, '--retry-failed']);
    expect(retried.code).toBe(0);
    expect(retried.stdout).toContain('processed=1 uploaded=0 skipped_existing=0 skipped_no_input=0 failed=0');
  });

  test('JSON input: the real JSON sample becomes a product', async () => {
    const place = await createPlace();
    const input = join(place.dir, 'in');
    mkdirSync(input);
    copyFileSync(JSON_SAMPLE, join(input, 'REACH-ALL_20251201T000000_20251202T000000.json'));
    const range = ['--start-date', '2025-12-01', '--end-date', '2025-12-01', '--output-format', 'json'];
    const ended = await place.run(['process', ...range, '--input-dir', input, '--output-dir', join(place.dir, 'cdf')]);
    expect(ended.code).toBe(0);
    expect(filesBelow(join(place.dir, 'cdf')).filter((path) => path.endsWith('.cdf'))).toHaveLength(1);
  });
});
