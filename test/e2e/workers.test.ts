import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres } from '../ledger/postgres-server.ts';
import type { PostgresServer } from '../ledger/postgres-server.ts';
import { freePort } from '../support/ports.ts';
import { createPlace, filesBelow, isAlive, runArgs, waitUntil } from './harness.ts';

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());

/** Sum of a metric over its tags, of those lines that contain `having`. */
function valueOf(metrics: string, name: string, having = ''): number {
  const lines = metrics.split('\n').filter((line) => line.split(/[ {]/)[0] === name && line.includes(having));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const FAST = ['--max-concurrent-requests', '16', '--initial-rate', '1000', '--max-rate', '1000'];

test('a download worker and build workers, one of them killed in the middle of a build: every day once; metrics, health, SIGTERM', async () => {
  const place = await createPlace({ tiny: true });
  const env = { REACHBACK_LEDGER_URL: (await postgres.newSchema()).reveal() };
  const at = ['--workspace', place.workspace];
  const dev = place.start(['dev', '--no-worker', ...at], env);
  await waitUntil('the server', () => dev.output().includes('web UI'));

  const port = await freePort();
  const startDownloads = () =>
    place.start(
      [
        'worker',
        '--role',
        'download',
        ...at,
        ...FAST,
        '--metrics',
        String(port),
        '--health',
        '0',
        '--log-format',
        'json',
        '--json',
        '-v',
      ],
      env,
    );
  const downloads = startDownloads();
  const build = ['worker', '--role', 'build', ...at];
  const doomed = place.start(build, { ...env, REACHBACK_CRASH_POINT: 'cdf-renamed' });
  for (const worker of [downloads, doomed]) {
    await waitUntil('polling', () => /polling|"ready"/.test(worker.output()));
  }
  const [, health = ''] = /"health":"([^"]+)"/.exec(downloads.output()) ?? [];
  for (const path of ['healthz', 'readyz']) {
    const answer = await fetch(`http://${health}/${path}`);
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
  }

  const running = place.start(runArgs(place, '2025-09-01', '2025-09-05', '--concurrency', '3'), env);
  // SAFE-6: the first build is the doomed one's; others take it up without a second file or row.
  await doomed.ended;
  expect(doomed.child.signalCode).toBe('SIGKILL');
  const builders = [place.start(build, env), place.start(build, env)];
  const run = await running.ended;
  expect(run.stdout).toMatch(/planned=5 downloaded=5 processed=5 uploaded=5 .* failed=0/);
  expect(run.code).toBe(0);
  expect(filesBelow(place.delivered).filter((path) => path.endsWith('.cdf'))).toHaveLength(5);
  expect(filesBelow(place.workspace).filter((path) => path.endsWith('.tmp'))).toEqual([]);
  const telemetry = readFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'utf8');
  for (const status of ['DOWNLOADED', 'PROCESSED', 'UPLOADED']) {
    expect(telemetry.match(new RegExp(`,${status},`, 'g'))).toHaveLength(5);
  }

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const { requests } = place.simulator.stats();
  expect(valueOf(metrics, 'reachback_requests_total')).toBe(requests);
  expect(valueOf(metrics, 'reachback_answers_total', 'outcome="success"')).toBe(requests);
  expect(valueOf(metrics, 'reachback_gate_wait_seconds_count')).toBe(requests);
  expect(valueOf(metrics, 'reachback_stage_attempts_total', 'stage="download"')).toBe(5);
  expect(valueOf(metrics, 'reachback_records_total')).toBeGreaterThan(0);
  expect(valueOf(metrics, 'reachback_bytes_total', 'kind="download"')).toBeGreaterThan(0);
  expect(metrics).toContain('reachback_gate_rate');
  expect(metrics).toContain('temporal_activity_schedule_to_start_latency_seconds');
  expect(metrics).not.toContain('Basic ');

  // SIGTERM in the middle of a download: handed over within 20 s, and the next worker asks only for what is missing.
  place.simulator.setFaults({ rules: [{ fault: { kind: 'latency' as const, ms: 120 } }] });
  const second = place.start(runArgs(place, '2025-10-01', '2025-10-01'), env);
  await waitUntil('requests', () => place.simulator.stats().requests > requests + 60);
  const before = Date.now();
  downloads.child.kill('SIGTERM');
  expect((await downloads.ended).code).toBe(0);
  expect(Date.now() - before).toBeLessThan(20_000);
  expect(isAlive(downloads.pid)).toBe(false);
  const { stderr } = await downloads.ended;
  const logged = stderr.split('\n').filter((line) => line !== '');
  expect(logged.map((line) => Object.hasOwn(JSON.parse(line) as object, 'level'))).not.toContain(false);
  expect(logged.join('\n')).toContain('Stopping; work under way is handed over.');
  startDownloads();
  expect((await second.ended).code).toBe(0);
  expect(place.simulator.stats().repeatedAnswers).toBeLessThanOrEqual(16);
  for (const builder of builders) {
    builder.child.kill('SIGTERM');
    expect((await builder.ended).code).toBe(0);
  }
});

test('issue 6: download workers of two hosts stay within one rate and one pause, and kill -9 of one loses nothing', async () => {
  const place = await createPlace({ tiny: true });
  const url = await postgres.newSchema();
  const env = { REACHBACK_LEDGER_URL: url.reveal() };
  const at = ['--workspace', place.workspace];
  const dev = place.start(['dev', '--no-worker', ...at], env);
  await waitUntil('the server', () => dev.output().includes('web UI'));
  const pace = ['--max-concurrent-requests', '16', '--initial-rate', '200', '--max-rate', '200'];
  const startOn = (host: string, role: string) =>
    place.start(['worker', '--role', role, ...at, ...pace], { ...env, XDG_STATE_HOME: join(place.dir, host) });
  const doomed = startOn('alpha', 'download');
  await waitUntil('polling', () => doomed.output().includes('polling'));
  const other = startOn('beta', 'download');
  const builder = startOn('gamma', 'build');
  for (const worker of [other, builder]) await waitUntil('polling', () => worker.output().includes('polling'));
  const ofGate = async <T>(what: string): Promise<T[]> => {
    const { origin } = new URL(place.simulator.url);
    return (await postgres.query(null, `${what} and origin = '${origin}'`)) as T[];
  };
  const isMade = async () =>
    (await postgres.query(null, `select from pg_tables where schemaname = 'reachback_gate'`)).length > 0;
  const workersSeen = () =>
    ofGate(`select from reachback_gate.gates, jsonb_object_keys(workers) as worker where worker <> ''`);
  const shares = () =>
    ofGate<{ requests: number }>(
      `select requests::int from reachback_gate.receipts join reachback_gate.gates on gates.id = gate where run_id = ''`,
    );

  const running = place.start(runArgs(place, '2025-09-01', '2025-09-09', '--concurrency', '9'), env);
  await waitUntil('both at the gate', async () => (await isMade()) && (await workersSeen()).length === 2);
  place.simulator.setFaults({ rules: [{ fault: { kind: 'storm', seconds: 15, form: 'seconds' } }] });
  await waitUntil('the pause', () => (place.simulator.stats().byStatus['429'] ?? 0) > 0);
  let gate: { holders: { pid: number }[]; cooldown: { why: string } | null } | null = null;
  await waitUntil('both told as held back', async () => {
    const { stdout } = await place.run(['status', ...at, '--json'], env);
    ({ gate } = JSON.parse(stdout) as { gate: NonNullable<typeof gate> });
    return gate.holders.length === 2 && gate.cooldown !== null;
  });
  const { requests } = place.simulator.stats();
  await waitUntil('requests of both after it', async () => {
    const haveAsked = (await shares()).filter((worker) => worker.requests > 100);
    return haveAsked.length === 2 && place.simulator.stats().requests > requests + 200;
  });
  doomed.child.kill('SIGKILL');
  expect(place.simulator.stats().slicesAnswered).toBeLessThan(9 * 288);
  const ended = await running.ended;
  expect(ended.stdout).toMatch(/planned=9 downloaded=9 processed=9 uploaded=9 .* failed=0/);
  expect(ended.code).toBe(0);

  expect(gate).toMatchObject({ cooldown: { why: expect.stringContaining('429') as string } });
  expect(new Set(gate!.holders.map(({ pid }) => pid))).toEqual(new Set([doomed.pid, other.pid]));
  const stats = place.simulator.stats();
  // Two gates would come to 400; a stalled machine may bunch the permits of a few tenths of a second.
  expect(stats.peakPerSecond).toBeLessThan(280);
  expect(stats.concurrentPeak).toBeLessThanOrEqual(16);
  // What was on its way when the pause was told; nothing later.
  expect(stats.latestInCooldownMs).toBeLessThan(5_000);
  expect(stats.slicesAnswered).toBe(9 * 288);
  // The file's writer is gone; the other has taken its turn.
  const telemetry = readFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'utf8');
  expect(telemetry.match(/,(DOWNLOADED|PROCESSED|UPLOADED),/g)).toHaveLength(27);
});

test('several workers need a ledger for several: a SQLite file is refused, and a second download worker too', async () => {
  const place = await createPlace({ tiny: true });
  for (const role of ['build', 'download']) {
    const ended = await place.run(['worker', '--role', role, '--workspace', place.workspace, '--log-format', 'json']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    // The last words too are an object for whoever reads the log.
    expect(JSON.parse(ended.stderr)).toMatchObject({
      level: 60,
      msg: expect.stringContaining('REACHBACK_LEDGER_URL=postgres://'),
    });
  }
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const dev = place.start(['dev', '--workspace', place.workspace]);
  await waitUntil('dev', () => dev.output().includes('web UI'));
  const second = await place.run(['worker', '--workspace', place.workspace]);
  expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining('is in use by process') });
  dev.child.kill('SIGTERM');
  await dev.ended;
  const metrics = await place.run(['dev', '--workspace', place.workspace, '--metrics', String(port)]);
  taken.close();
  expect(metrics).toMatchObject({ code: 2, stderr: expect.stringContaining(`127.0.0.1:${port}`) });
});
