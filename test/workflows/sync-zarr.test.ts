import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zarrWorkflowId } from '../../src/core/backfill/ids.ts';
import { eventually, fakeActivities, startTestServer, withRange } from './harness.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startTestServer();
});
afterAll(async () => {
  await env.teardown();
});

let stores = 0;
function newTarget() {
  stores += 1;
  return { store: `file:///srv/reach-${stores}.zarr`, origin: null, exactTimes: null };
}

describe('a range with a Zarr store', () => {
  test('syncs it once all days are settled, ascending, a bounded number of days at once', async () => {
    const { world, activities } = fakeActivities();
    const zarr = newTarget();
    const scenario = { last: '2025-09-20', concurrency: 8, options: { zarr } };
    const result = await withRange(env, activities, scenario, (handle) => handle.result());
    expect(result.zarr).toMatchObject({ store: zarr.store, written: 20, refusedDays: 0 });
    expect(world.zarrBatches.map(({ length }) => length)).toEqual([16, 4]);
    expect(world.zarrBatches.flat()).toEqual(world.finished.toSorted());
  });

  test('that cannot be synced ends all the same, and tells why', async () => {
    const { activities } = fakeActivities();
    const zarr = newTarget();
    activities.syncZarrDays = async () => {
      const details = [{ hint: 'Name another place.' }];
      throw ApplicationFailure.create({
        type: 'config_invalid',
        message: 'another layout',
        nonRetryable: true,
        details,
      });
    };
    const result = await withRange(env, activities, { last: '2025-09-02', options: { zarr } }, (handle) =>
      handle.result(),
    );
    expect(result.totals.done).toBe(2);
    expect(result.zarr?.failure).toEqual({
      kind: 'config_invalid',
      message: 'another layout',
      hint: 'Name another place.',
    });
  });

  test('APPEND-10: a store has one writer: a second sync is refused by name, a range waits for the first', async () => {
    const { world, activities } = fakeActivities();
    const zarr = newTarget();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const planZarr = activities.planZarr.bind(activities);
    let plans = 0;
    activities.planZarr = async (request) => {
      plans += 1;
      if (plans === 1) await held;
      return await planZarr(request);
    };
    const result = await withRange(
      env,
      activities,
      { last: '2025-09-02', options: { zarr } },
      async (handle, client, input) => {
        const { workspace, product } = input;
        await eventually(
          () => Promise.resolve(plans),
          (count) => count === 1,
        );
        const second = client.startZarr({ workspace, product, target: zarr, rebuild: false });
        await expect(second).rejects.toMatchObject({
          kind: 'config_invalid',
          message: expect.stringContaining(zarrWorkflowId(zarr.store)) as string,
        });
        release();
        return await handle.result();
      },
    );
    expect(result.zarr?.written).toBe(2);
    expect(world.zarrBatches).toHaveLength(1);
  });
});
