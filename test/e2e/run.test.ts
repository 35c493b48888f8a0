import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { runPython } from '../support/python.ts';
import { TOKEN, createPlace, fileHashes, filesBelow, fingerprint, runArgs } from './harness.ts';

const NO_NETWORK = join(import.meta.dirname, '../support/no-network.ts');

interface TelemetryRow {
  readonly chunk_date_utc: string;
  readonly status: string;
  readonly records_downloaded: string;
  readonly run_id: string;
  readonly csv_path: string;
  readonly cdf_path: string;
  readonly s3_bucket: string;
  readonly s3_key: string;
}

function telemetry(path: string): TelemetryRow[] {
  return parse(readFileSync(path), { columns: true }) as TelemetryRow[];
}

describe('reachback run', () => {
  test('the main job: days downloaded, counted, built and delivered; the same command again sends nothing', async () => {
    const place = await createPlace({ tiny: true, emptyDays: ['2025-09-02'] });
    const args = runArgs(place, '2025-09-01', '2025-09-03');
    const first = await place.run(args);
    expect(first.stderr).not.toContain('unexpected');
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(
      /run: planned=3 downloaded=2 processed=2 uploaded=2 skipped_existing=0 skipped_no_data=1 failed=0/,
    );

    // UDL-27, CDF-1, S3-1: names and places.
    expect(existsSync(join(place.workspace, 'downloads/REACH-ALL_20250901T000000_20250902T000000.csv'))).toBe(true);
    const product = 'l1c/prelim/2025/09/01/reach_all_l1c_prelim_20250901T000000_v1.0.0.cdf';
    expect(existsSync(join(place.workspace, 'products', product))).toBe(true);
    const delivered = fileHashes(place.delivered);
    expect(Object.keys(delivered)).toEqual([
      product,
      product.replaceAll('01/reach', '03/reach').replace('20250901T', '20250903T'),
    ]);
    expect(delivered[product]).toBe(fileHashes(join(place.workspace, 'products'))[product]);

    // TEL-1…6: the operator's CSV, right for every day.
    const rows = telemetry(join(place.workspace, 'downloads/download_telemetry.csv'));
    const statuses = (day: string): string[] =>
      rows.filter((row) => row.chunk_date_utc === day).map((row) => row.status);
    const whole = ['DOWNLOAD_PENDING', 'DOWNLOADED', 'PROCESS_PENDING', 'PROCESSED', 'UPLOAD_PENDING', 'UPLOADED'];
    expect(statuses('2025-09-01')).toEqual(whole);
    expect(statuses('2025-09-02')).toEqual(['DOWNLOAD_PENDING', 'SKIPPED_NO_DATA']);
    expect(statuses('2025-09-03')).toEqual(whole);
    const expected = place.simulator.expectedDay('2025-09-01', { descriptor: 'QUICKLOOK' });
    expect(rows.find((row) => row.status === 'DOWNLOADED')?.records_downloaded).toBe(String(expected.records));
    expect(rows.find((row) => row.status === 'UPLOADED')).toMatchObject({
      s3_bucket: `file://${place.delivered}`,
      s3_key: product,
    });
    expect(new Set(rows.map((row) => row.run_id)).size).toBe(1);

    // SAFE-6: done is done.
    const requests = place.simulator.stats().requests;
    // 288 slices and one question how many records the source counts, each day.
    expect(requests).toBe(3 * 289);
    expect(first.stdout).toContain(' verified=3 ');
    const before = {
      ...fingerprint(join(place.workspace, 'downloads')),
      ...fingerprint(join(place.workspace, 'products')),
    };
    const again = await place.run(args);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('skipped_existing=2 skipped_no_data=1 failed=0');
    expect(place.simulator.stats().requests).toBe(requests);
    expect({
      ...fingerprint(join(place.workspace, 'downloads')),
      ...fingerprint(join(place.workspace, 'products')),
    }).toEqual(before);
  });

  test('without a flag products follow ISTP: no finding of ours, of spacepy nor of the command', async () => {
    const place = await createPlace();
    const args = runArgs(place, '2025-09-01', '2025-09-01').filter((word) => word !== '--profile' && word !== 'parity');
    expect((await place.run(args)).code).toBe(0);
    const [product] = filesBelow(place.delivered).filter((path) => path.endsWith('.cdf'));
    const validated = await place.run(['cdf', 'validate', product!]);
    expect(validated.stdout).toContain('valid: 0 errors, 0 warnings');
    expect(validated.code).toBe(0);
    expect(JSON.parse(await runPython('istp.py', [product!]))).toEqual([]);
    const dumped = await place.run(['cdf', 'dump', '--json', product!]);
    expect(JSON.parse(dumped.stdout)).toMatchObject({ globalAttributes: { Product_profile: ['istp'] } });
    expect((await place.run(['cdf', 'diff', product!, product!])).code).toBe(0);
  });

  test('CLI-D1: the token is in no output, log, history, database or file', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ match: { firstAttempts: 1, slice: 3 }, fault: { kind: 'error_object' } }] });
    const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-01', '-vv'), { REACHBACK_PASS_WAIT_MS: '50' });
    expect(ended.code).toBe(0);
    const secrets = [TOKEN, TOKEN.slice('Basic '.length), 'very-secret-word'];
    const places = [ended.stdout, ended.stderr, ...filesBelow(place.dir).map((path) => readFileSync(path, 'latin1'))];
    expect(places.length).toBeGreaterThan(8);
    for (const secret of secrets) expect(places.filter((text) => text.includes(secret))).toEqual([]);
  });

  test('CLI-13, CLI-D9, TEL-27: a dry run of run, download and process prints the plan and leaves no trace: no socket, token, process, file', async () => {
    const place = await createPlace();
    mkdirSync(join(place.dir, 'in'));
    const guarded = {
      BASICAUTH: undefined,
      SECRET_ARN_UDL: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:udl',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      NODE_OPTIONS: `--import ${NO_NETWORK}`,
    };
    const range = ['--start-date', '2025-09-01', '--end-date', '2025-09-02', '--dry-run'];
    const picky = ['--limit-days', '1', '--newest-first'];
    const cases: [string[], RegExp, string][] = [
      [
        runArgs(place, '2025-09-01', '2025-09-02', '--dry-run'),
        /2025-09-01 action=run\S* prior_status=none/,
        'with_work=2',
      ],
      [['run', ...range, ...picky, '--upload-to', 's3://bucket'], /2025-09-02 action=run\S*/, 'planned=1 with_work=1'],
      [['download', ...range, '--output-dir', 'out'], /2025-09-01 action=run prior_status=none/, 'with_work=2'],
      [
        ['process', ...range, '--input-dir', 'in', '--output-dir', 'cdf'],
        /2025-09-02 action=skip_no_input/,
        'skipped_no_input=2',
      ],
    ];
    for (const [args, line, sum] of cases) {
      const ended = await place.run(args, guarded);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expect(ended.stdout).toMatch(new RegExp(`^\\[dry-run\\] ${line.source}`, 'm'));
      expect(ended.stdout).toContain(sum);
    }
    expect(readdirSync(place.dir)).toEqual(['in']);
    expect(place.simulator.stats().requests).toBe(0);
    // The guard is one: without --dry-run the same command meets it.
    const { NODE_OPTIONS } = guarded;
    const tripped = await place.run(runArgs(place, '2025-09-01', '2025-09-02'), { NODE_OPTIONS });
    expect(tripped.code).not.toBe(0);
    expect(tripped.stderr).toContain('tripwire: ');
  });

  test('SAFE-9, CLI-11: a slice that fails for good fails its day alone; --retry-failed asks for that slice only', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ match: { day: '2025-09-02', slice: 100 }, fault: { kind: 'html' } }] });
    const fast = { REACHBACK_PASS_WAIT_MS: '50' };
    const failed = await place.run(runArgs(place, '2025-09-01', '2025-09-03'), fast);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('failed=1');
    expect(failed.stdout).toContain('2025-09-02 download:');
    expect(failed.stdout).toContain(`requests=${3 * 288 + 2 + 5} `);
    expect(place.simulator.stats().requests).toBe(3 * 288 + 2 + 5);

    const skipped = await place.run(runArgs(place, '2025-09-01', '2025-09-03'), fast);
    expect(skipped.code).toBe(1);
    expect(skipped.stdout).toContain('add --retry-failed');
    expect(place.simulator.stats().requests).toBe(3 * 288 + 2 + 5);

    place.simulator.setFaults({ rules: [] });
    const before = place.simulator.stats().requests;
    const retried = await place.run(runArgs(place, '2025-09-01', '2025-09-03', '--retry-failed'), fast);
    expect(retried.code).toBe(0);
    // The slice and the day's count.
    expect(place.simulator.stats().requests - before).toBe(2);
  });

  test('SAFE-4: a source that always answers 500 is left alone, and the run ends with code 3', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ fault: { kind: 'status', status: 500 } }] });
    const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-03'), { REACHBACK_PASS_WAIT_MS: '50' });
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('paused');
    expect(place.simulator.stats().requests).toBeLessThanOrEqual(6 * (5 + 15));
    const rows = telemetry(join(place.workspace, 'downloads/download_telemetry.csv'));
    expect(rows.filter((row) => row.status === 'FAILED')).toEqual([]);

    place.simulator.setFaults({ rules: [] });
    const resumed = await place.run(runArgs(place, '2025-09-01', '2025-09-03'), { REACHBACK_PASS_WAIT_MS: '50' });
    expect(resumed.stderr).toContain('Resumed');
    expect(resumed.code).toBe(0);
    expect(Object.keys(fileHashes(place.delivered))).toHaveLength(3);
  });

  test('SAFE-4: 403 stops the run at the first answer', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ fault: { kind: 'status', status: 403 } }] });
    const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-10'));
    expect(ended.code).toBe(3);
    expect(place.simulator.stats().requests).toBeLessThanOrEqual(16);
    expect(ended.stderr).toContain('BASICAUTH');
  });

  test('SAFE-2: nobody asks inside a cooldown, and the day is complete after it', async () => {
    const place = await createPlace();
    place.simulator.setFaults({
      rules: [{ match: { nth: 40 }, fault: { kind: 'storm', seconds: 2, form: 'seconds' } }],
    });
    const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-01'));
    expect(ended.code).toBe(0);
    const { begunInCooldown, byStatus } = place.simulator.stats();
    expect(begunInCooldown).toBe(0);
    expect(byStatus['429']).toBeGreaterThan(0);
    expect(byStatus['200']).toBe(289);
  });
});
