import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createPlace, descendants, fileHashes, filesBelow, isAlive, killAll, runArgs, waitUntil } from './harness.ts';
import type { Place } from './harness.ts';

/** Slow enough that a kill meets work under way: 288 slices take a few seconds. */
const SLOW = { rules: [{ fault: { kind: 'latency' as const, ms: 120 } }] };
const CALM = { rules: [] };
const IN_FLIGHT = 4;

function paced(place: Place): string[] {
  const pace = ['--max-concurrent-requests', String(IN_FLIGHT), '--initial-rate', '1000', '--max-rate', '1000'];
  const target = ['--workspace', place.workspace, '--upload-to', `file://${place.delivered}`, '--profile', 'parity'];
  return ['run', '--start-date', '2025-09-01', '--end-date', '2025-09-02', ...target, ...pace];
}

/** What an undisturbed run delivers from the same source, for all tests. */
let undisturbed: Promise<Record<string, string>> | undefined;

async function runUndisturbed(): Promise<Record<string, string>> {
  const place = await createPlace({ tiny: true });
  const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-02'));
  expect(ended.code).toBe(0);
  return fileHashes(place.delivered);
}

/** Nothing was asked twice but what was under way at each kill, and nothing temporary is left. */
async function expectNothingLost(place: Place, kills: number): Promise<void> {
  expect(fileHashes(place.delivered)).toEqual(await (undisturbed ??= runUndisturbed()));
  const { slicesAnswered, repeatedAnswers } = place.simulator.stats();
  expect(slicesAnswered).toBe(2 * 288);
  expect(repeatedAnswers).toBeLessThanOrEqual(kills * IN_FLIGHT);
  expect(filesBelow(place.workspace).filter((path) => path.endsWith('.tmp') || path.includes('.slices/'))).toEqual([]);
}

describe('a kill at any moment loses nothing', () => {
  test('kill -9 of everything in embedded mode, twice; the same command goes on', async () => {
    const place = await createPlace({ tiny: true });
    place.simulator.setFaults(SLOW);
    for (const requests of [100, 350]) {
      const running = place.start(paced(place));
      await waitUntil(`${requests} requests`, () => place.simulator.stats().requests > requests);
      expect(await killAll(running.pid)).toBeGreaterThan(2);
      await running.ended;
    }
    place.simulator.setFaults(CALM);
    const finished = await place.run(paced(place));
    expect(finished.stderr).toContain('Going on with');
    expect(finished.code).toBe(0);
    await expectNothingLost(place, 2);
  });

  test('SAFE-10: kill -9 of the program alone leaves no process and no further request', async () => {
    const place = await createPlace({ tiny: true });
    place.simulator.setFaults(SLOW);
    const running = place.start(paced(place));
    await waitUntil('requests', () => place.simulator.stats().requests > 50);
    const children = descendants(running.pid);
    running.child.kill('SIGKILL');
    await running.ended;
    const { requests } = place.simulator.stats();
    await waitUntil('the server has gone', () => !children.some(isAlive));
    await waitUntil('nothing is under way', () => place.simulator.stats().inFlight === 0);
    // What it had sent may have been read after its end.
    expect(place.simulator.stats().requests).toBeLessThanOrEqual(requests + IN_FLIGHT);
  });

  test('kill -9 of the server child alone: it is started again and the run finishes', async () => {
    const place = await createPlace({ tiny: true });
    place.simulator.setFaults(SLOW);
    const running = place.start(paced(place));
    await waitUntil('requests', () => place.simulator.stats().requests > 100);
    const server = descendants(running.pid).find((pid) => commandOf(pid).includes('start-dev'));
    expect(server).toBeDefined();
    process.kill(server!, 'SIGKILL');
    await waitUntil('a server again', () =>
      descendants(running.pid).some((pid) => pid !== server && commandOf(pid).includes('start-dev')),
    );
    place.simulator.setFaults(CALM);
    const ended = await running.ended;
    expect(ended.stderr).not.toContain('unexpected');
    expect(ended.code).toBe(0);
    await expectNothingLost(place, 1);
  });

  test('kill -9 of the worker alone, with server and worker run apart', async () => {
    const place = await createPlace({ tiny: true });
    place.simulator.setFaults(SLOW);
    const dev = place.start(['dev', '--no-worker', '--workspace', place.workspace, '--json']);
    await waitUntil('the server', () => dev.output().includes('"ready"'));
    const pace = ['--max-concurrent-requests', String(IN_FLIGHT), '--initial-rate', '1000', '--max-rate', '1000'];
    const startWorker = () => place.start(['worker', '--workspace', place.workspace, ...pace]);
    const worker = startWorker();
    await waitUntil('the worker', () => worker.output().includes('polling'));
    const run = place.start(paced(place));
    await waitUntil('requests', () => place.simulator.stats().requests > 100);
    worker.child.kill('SIGKILL');
    await worker.ended;
    place.simulator.setFaults(CALM);
    const second = startWorker();
    const ended = await run.ended;
    expect(ended.code).toBe(0);
    await expectNothingLost(place, 1);
    second.child.kill('SIGTERM');
    expect((await second.ended).code).toBe(0);
    const children = descendants(dev.pid);
    dev.child.kill('SIGTERM');
    expect((await dev.ended).code).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
  });

  test('CLI-9, CLI-10: Ctrl-C ends with code 130 in good order; finished slices are kept and the same command finishes', async () => {
    const place = await createPlace({ tiny: true });
    place.simulator.setFaults(SLOW);
    const running = place.start(paced(place));
    await waitUntil('requests', () => place.simulator.stats().requests > 100);
    const children = descendants(running.pid);
    running.child.kill('SIGINT');
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toContain('the same command goes on');
    expect(children.filter(isAlive)).toEqual([]);
    const products = filesBelow(join(place.workspace, 'products'));
    expect(products).toEqual([]);
    place.simulator.setFaults(CALM);
    expect((await place.run(paced(place))).code).toBe(0);
    await expectNothingLost(place, 1);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
