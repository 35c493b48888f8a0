import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { asTold, withHeartbeat } from '../../src/activities/heartbeat.ts';
import type { StageHeartbeat } from '../../src/core/backfill/types.ts';

type Tell = (progress: StageHeartbeat) => void;

let environment: MockActivityEnvironment;
let beats: number;

beforeEach(() => {
  vi.useFakeTimers();
  environment = new MockActivityEnvironment();
  beats = 0;
  environment.on('heartbeat', () => (beats += 1));
});

afterEach(() => {
  vi.useRealTimers();
});

/** Runs `work` as an activity's. @returns its end, told apart from a rejection */
function run(work: (signal: AbortSignal, tell: Tell) => Promise<string>, silence?: typeof asTold): Promise<string> {
  return environment
    .run(() => withHeartbeat(work, silence))
    .then(
      (value) => `ended: ${String(value)}`,
      (error: Error) => `failed: ${error.message}`,
    );
}

async function beatsIn(seconds: number): Promise<number> {
  const before = beats;
  await vi.advanceTimersByTimeAsync(seconds * 1_000);
  return beats - before;
}

test('an activity whose thread reports beats every two seconds', async () => {
  const ended = run(async (_signal, tell) => {
    for (let second = 0; second < 60; second += 1) {
      tell({ phase: 'reading', done: second, total: 60 });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    return 'well';
  }, asTold);
  expect(await beatsIn(50)).toBeGreaterThanOrEqual(24);
  await beatsIn(20);
  expect(await ended).toBe('ended: well');
});

test('design §2: a heartbeat is sent only when the thread at work reported lately; a silent one is told to stop, and fails', async () => {
  let stop: unknown;
  const ended = run(
    (signal, tell) =>
      new Promise((_resolve, reject) => {
        tell({ phase: 'reading', done: 1, total: 60 });
        signal.addEventListener('abort', () => {
          stop = signal.reason;
          reject(signal.reason as Error);
        });
      }),
    asTold,
  );
  expect(await beatsIn(30)).toBeGreaterThanOrEqual(14);
  expect(await beatsIn(30)).toBeLessThanOrEqual(1);
  expect(await ended).toBe('failed: Nothing was heard of the work for 32 s.');
  expect(stop).toMatchObject({ name: 'StalledError' });
});

test('work that does not even stop is left behind after five seconds, so that its slot is free', async () => {
  const ended = run(() => new Promise(() => undefined), asTold);
  await beatsIn(32 + 5);
  expect(await ended).toMatch(/^failed: Nothing was heard/);
});

test('work without a thread may take its time', async () => {
  const ended = run(async () => {
    await new Promise((resolve) => setTimeout(resolve, 120_000));
    return 'late';
  });
  expect(await beatsIn(119)).toBeGreaterThanOrEqual(59);
  await beatsIn(2);
  expect(await ended).toBe('ended: late');
});
