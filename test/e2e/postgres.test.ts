import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, startPostgres } from '../ledger/postgres-server.ts';
import type { PostgresServer } from '../ledger/postgres-server.ts';
import { createPlace, filesBelow, runArgs, waitUntil } from './harness.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

test('REACHBACK_LEDGER_URL: a run keeps its ledger in PostgreSQL, outlives a restart of it, and a second one sends nothing', async () => {
  const place = await createPlace({ tiny: true });
  const url = await server.newSchema();
  const environment = { REACHBACK_LEDGER_URL: url.reveal(), REACHBACK_PASS_WAIT_MS: '500' };
  const before = await place.run(['status', '--workspace', place.workspace], environment);
  expect(before).toMatchObject({ code: 0, stdout: expect.stringContaining('holds no day yet') });

  const args = runArgs(place, '2025-09-01', '2025-09-02');
  place.simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 500 } }] });
  const running = place.start(args, environment);
  await waitUntil('requests leave', () => place.simulator.stats().requests > 50);
  await server.stop();
  await server.start();
  place.simulator.setFaults({ rules: [] });
  const first = await running.ended;
  expect(first.stdout).toMatch(/run: planned=2 downloaded=2 processed=2 uploaded=2 .* failed=0/);
  expect(first.code).toBe(0);
  expect(existsSync(join(place.workspace, 'state/reachback.db'))).toBe(false);
  const [{ days }] = (await server.query(
    url,
    `select count(distinct day)::int as days from attempts where status = 'UPLOADED'`,
  )) as [{ days: number }];
  expect(days).toBe(2);
  const telemetry = readFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'utf8');
  expect(telemetry.match(/,(DOWNLOADED|PROCESSED|UPLOADED),/g)).toHaveLength(6);

  const requests = place.simulator.stats().requests;
  const again = await place.run(args, environment);
  expect(again.stdout).toMatch(/skipped_existing=2 .* failed=0/);
  expect(place.simulator.stats().requests).toBe(requests);
  const status = await place.run(['status', '--workspace', place.workspace, '--json'], environment);
  expect((JSON.parse(status.stdout) as { states: unknown[] }).states).toHaveLength(3);

  // CLI-D1: no output and no file holds the database's password.
  const said = [before, first, again, status].flatMap(({ stdout, stderr }) => [stdout, stderr]);
  const texts = [...said, ...filesBelow(place.dir).map((path) => readFileSync(path, 'latin1'))];
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) {
    expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  }
});

test('an address that leads nowhere ends a command with its name and what to do, before any work', async () => {
  const place = await createPlace({ tiny: true });
  const nowhere = `postgres://keeper:${encodeURIComponent(PASSWORD)}@127.0.0.1:9/reachback`;
  const environment = { REACHBACK_LEDGER_URL: nowhere };
  const down = await place.run(runArgs(place, '2025-09-01', '2025-09-01'), environment);
  expect(down).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('keeper@127.0.0.1:9/reachback does not answer'),
  });
  const wrong = await place.run(['status'], { REACHBACK_LEDGER_URL: `mysql://u:${PASSWORD}@h/d` });
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('REACHBACK_LEDGER_URL is (secret)') });
  for (const { stderr } of [down, wrong]) expect(stderr).not.toContain('ss w');
  expect(place.simulator.stats().requests).toBe(0);
});
