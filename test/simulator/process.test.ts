import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { SimulatorStats } from '../../simulator/simulator.ts';
import type { RecordCounts } from '../../src/core/records/counts.ts';
import { DATA_PATH, query, range } from './support.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const MAIN = join(import.meta.dirname, '../../simulator/main.ts');
const AUTHORIZED = { headers: { authorization: 'x' } };

const children: Child[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function launch(...args: string[]): Child {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

/** The URL of the one line it prints. */
async function ready(child: Child): Promise<string> {
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

async function exitCode(child: Child): Promise<unknown> {
  // Behind `close` all that it said has been read.
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

async function control<T>(url: string, name: string, body?: unknown): Promise<T> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`${url}/_control/${name}`, init);
  return (await response.json()) as T;
}

describe('as a process', () => {
  test('prints its URL when ready, serves, and ends when its standard input closes', async () => {
    const child = launch('--port', '0', '--tiny', '--seed', '5', '--empty-days', '2025-09-02');
    const url = await ready(child);
    const asked = DATA_PATH + query(range('00:00:00', '00:05:00'));
    const here = await startSimulator({ tiny: true, seed: 5 });
    const [there, same] = await Promise.all([fetch(url + asked, AUTHORIZED), fetch(here.url + asked, AUTHORIZED)]);
    expect(await there.text()).toBe(await same.text());
    await here.close();
    expect((await control<RecordCounts>(url, 'expected?day=2025-09-02')).records).toBe(0);
    child.stdin.end();
    expect(await exitCode(child)).toBe(0);
  });

  test('ends on SIGTERM, cutting what hangs', async () => {
    const child = launch('--tiny');
    const url = await ready(child);
    await control(url, 'faults', { rules: [{ fault: { kind: 'hang' } }] });
    const lost = fetch(url + DATA_PATH + query(range('00:00:00', '00:05:00')), AUTHORIZED).catch(() => 'lost');
    await expect.poll(async () => (await control<SimulatorStats>(url, 'stats')).inFlight).toBe(1);
    const ended = exitCode(child);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(await lost).toBe('lost');
  });

  test('outlives its standard input with --keep-running', async () => {
    const child = launch('--tiny', '--keep-running');
    const url = await ready(child);
    child.stdin.end();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await control<SimulatorStats>(url, 'stats')).toMatchObject({ requests: 0 });
    child.kill('SIGTERM');
    expect(await exitCode(child)).toBe(0);
  });

  test.for([
    { args: ['--seed', 'x'], says: 'seed is NaN' },
    { args: ['--cadence', '7'], says: 'cadenceS is 7' },
    { args: ['--first-day', 'soon'], says: 'firstDay is soon' },
    { args: ['--faults', 'no-such-file.json'], says: 'no-such-file.json' },
  ])('unusable flags end it with exit code 2 and the reason: $says', async ({ args, says }) => {
    const child = launch(...args);
    let errors = '';
    child.stderr.on('data', (part: Buffer) => (errors += part.toString()));
    expect(await exitCode(child)).toBe(2);
    expect(errors).toContain(says);
  });
});

describe('control over HTTP', () => {
  test('sets faults, reads stats and log, delivers late data, resets; none of it is counted', async () => {
    const simulator = await startSimulator({ tiny: true });
    const { url } = simulator;
    expect(await control(url, 'faults', { rules: [{ fault: { kind: 'null' }, times: 1 }] })).toEqual({ rules: 1 });
    const asked = url + DATA_PATH + query(range('00:00:00', '00:05:00'));
    expect(await (await fetch(asked, AUTHORIZED)).text()).toBe('null');
    await expect
      .poll(async () => control(url, 'stats'))
      .toMatchObject({ requests: 1, byStatus: { 200: 1 }, faultsFired: [1] });
    expect(await control(url, 'requests')).toMatchObject([{ number: 1, fault: 'null' }]);

    const expected = 'expected?day=2025-09-01&descriptor=QUICKLOOK';
    const before = await control<RecordCounts>(url, expected);
    expect(before).toEqual(simulator.expectedDay('2025-09-01', { descriptor: 'QUICKLOOK' }));
    expect(await control(url, 'late', { day: '2025-09-01', instants: 1 })).toEqual({ instants: 1 });
    const after = await control<RecordCounts>(url, expected);
    expect(after.distinctReadings).toBe(before.distinctReadings + 2);

    await control(url, 'reset', {});
    expect(await control(url, 'stats')).toMatchObject({ requests: 0, faultsFired: [] });
    expect(await control(url, expected)).toEqual(before);
    await simulator.close();
  });

  test.for([
    { name: 'faults', body: { rules: 1 }, status: 400, says: 'rules' },
    { name: 'late', body: { day: 'x' }, status: 400, says: 'is not a calendar date' },
    { name: 'late', body: {}, status: 400, says: 'day' },
    { name: 'expected?day=2025-13-01', body: undefined, status: 400, says: '2025-13-01' },
    { name: 'nothing', body: undefined, status: 404, says: 'GET stats' },
  ])('bad input to $name gets $status with the reason', async ({ name, body, status, says }) => {
    const simulator = await startSimulator({ tiny: true });
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(`${simulator.url}/_control/${name}`, init);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(says);
    await simulator.close();
  });
});
