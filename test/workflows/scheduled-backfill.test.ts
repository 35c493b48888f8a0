import { randomUUID } from 'node:crypto';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listText } from '../../src/cli/schedule.ts';
import type { ReachbackClient } from '../../src/client.ts';
import type { ScheduledInput } from '../../src/core/backfill/schedule.ts';
import { addDays, dayOfMs } from '../../src/core/time/day.ts';
import { ScheduleClient } from '../../src/schedules.ts';
import type { ScheduledResult } from '../../src/workflows/scheduled-backfill.ts';
import { eventually, failure, fakeActivities, OPTIONS, startTestServer, withRange } from './harness.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startTestServer();
});
afterAll(async () => {
  await env.teardown();
});

function inputOf(workspace: string): ScheduledInput {
  return {
    workspace,
    product: 'reach-101/quicklook',
    increment: { kind: 'trailing', days: 2 },
    options: { ...OPTIONS, retryFailed: true },
    concurrency: 2,
    maxDaysPerRun: 250,
    searchAttributes: true,
  };
}

/** A worker, an ordinary range beside it, and schedules of the same workspace. */
async function withSchedules<T>(
  activities: ReturnType<typeof fakeActivities>['activities'],
  drive: (schedules: ScheduleClient, workspace: string, client: ReachbackClient) => Promise<T>,
): Promise<T> {
  const workspace = `sched-${randomUUID().slice(0, 8)}`;
  return await withRange(env, activities, { workspace, last: '2025-09-01' }, async (handle, client) => {
    await handle.result();
    return await drive(new ScheduleClient(client.temporal, workspace), workspace, client);
  });
}

async function resultsOf(client: ReachbackClient, schedules: ScheduleClient, runs: number): Promise<ScheduledResult[]> {
  const [line] = await eventually(
    () => schedules.list(),
    ([first]) => (first?.recent.length ?? 0) === runs && first?.running.length === 0,
  );
  const handles = line!.recent.map(({ workflowId, runId }) => client.temporal.workflow.getHandle(workflowId, runId));
  return await Promise.all(handles.map((handle) => handle.result() as Promise<ScheduledResult>));
}

describe('a schedule', () => {
  test('two triggered runs: the days before the scheduled time, first with work, then with nothing to do; priority before others', async () => {
    const { world, activities } = fakeActivities();
    await withSchedules(activities, async (schedules, workspace, client) => {
      const input = inputOf(workspace);
      // Not due by itself meanwhile.
      const hour = (new Date().getUTCHours() + 12) % 24;
      await schedules.create({ name: 'daily', timing: { kind: 'daily', hour, minute: 17 }, input });
      const yesterday = addDays(dayOfMs(Date.now()), -1);
      await schedules.trigger('daily');
      const [first] = await resultsOf(client, schedules, 1);
      expect(first).toMatchObject({
        days: { first: addDays(yesterday, -1), last: yesterday },
        range: { totals: { done: 2 }, failedDays: 0 },
      });
      await schedules.trigger('daily');
      const [, second] = await resultsOf(client, schedules, 2);
      expect(second?.range?.totals).toMatchObject({ done: 0, skipped: { existing: 2 } });
      expect(world.finished.slice(1).toSorted()).toEqual([addDays(yesterday, -1), yesterday]);

      const [line] = await schedules.list();
      const time = `${String(hour).padStart(2, '0')}:17`;
      expect(line).toMatchObject({ name: 'daily', timing: `daily at ${time} UTC`, days: 'the 2 days before', runs: 2 });
      expect(line?.nextRun).toContain(`T${time}:00`);
      expect(line?.latest).toEqual({ ended: 'well', failedDays: 0 });
      const day = await client.temporal.workflow.getHandle(`day/${workspace}/${input.product}/${yesterday}`).describe();
      expect(day.raw.workflowExecutionInfo?.priority?.priorityKey).toBe(1);
    });
  });

  test('failed days do not hold a run open; a run that is due meanwhile waits and is not lost (BUFFER_ONE)', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const yesterday = addDays(dayOfMs(Date.now()), -1);
    const { activities } = fakeActivities(async (day, tries) => {
      if (day !== yesterday) return;
      await held;
      if (tries === 1) throw failure('slice_exhausted', 'one slice failed 6 times');
    });
    await withSchedules(activities, async (schedules, workspace, client) => {
      await schedules.create({ name: 'd', timing: { kind: 'every', seconds: 86_400 }, input: inputOf(workspace) });
      await schedules.trigger('d');
      await eventually(
        () => schedules.list(),
        ([line]) => line?.running.length === 1,
      );
      for (const _ of [1, 2, 3]) await schedules.trigger('d');
      release();
      const [first, second] = await resultsOf(client, schedules, 2);
      expect(first?.range).toMatchObject({ failedDays: 1, totals: { done: 1 } });
      expect(second?.range).toMatchObject({ failedDays: 0, totals: { done: 1 } });
      const { policies } = await client.temporal.schedule.getHandle(`schedule/${workspace}/d`).describe();
      expect(policies).toMatchObject({
        overlap: ScheduleOverlapPolicy.BUFFER_ONE,
        catchupWindow: 31 * 86_400_000,
        pauseOnFailure: false,
      });
    });
  });

  test('a run that cannot begin is no secret: list says that it failed, and why', async () => {
    const { activities } = fakeActivities();
    let isBroken = false;
    const planRange: typeof activities.planRange = (...asked) => {
      if (isBroken) throw failure('config_invalid', 'there is no bucket products');
      return activities.planRange(...asked);
    };
    await withSchedules({ ...activities, planRange }, async (schedules, workspace) => {
      isBroken = true;
      await schedules.create({ name: 'd', timing: { kind: 'every', seconds: 86_400 }, input: inputOf(workspace) });
      await schedules.trigger('d');
      const lines = await eventually(
        () => schedules.list(),
        ([line]) => line?.latest != null,
      );
      expect(lines[0]?.latest).toEqual({ ended: 'badly', why: 'there is no bucket products' });
      const text = listText(lines);
      expect(text).toMatch(/^d .*T\d\d:\d\dZ failed /m);
      expect(text).toContain('d: its latest run did nothing: there is no bucket products');
      const failedDays = lines.map((line) => ({ ...line, latest: { ended: 'well', failedDays: 2 } as const }));
      expect(listText(failedDays)).toContain('d: 2 days failed in its latest run: reachback status.');
    });
  });

  test('pause, resume, delete; a name that is taken or unknown is refused with what to do', async () => {
    const { activities } = fakeActivities();
    await withSchedules(activities, async (schedules, workspace) => {
      const create = () =>
        schedules.create({ name: 'd', timing: { kind: 'every', seconds: 3_600 }, input: inputOf(workspace) });
      await create();
      await expect(create()).rejects.toMatchObject({
        kind: 'config_invalid',
        hint: expect.stringContaining('delete d'),
      });
      await schedules.pause('d', 'maintenance');
      await eventually(
        () => schedules.list(),
        ([line]) => line?.paused === true && line.note === 'maintenance',
      );
      await expect(schedules.pause('e')).rejects.toMatchObject({ kind: 'config_invalid', hint: 'There are: d.' });
      await schedules.resume('d');
      await eventually(
        () => schedules.list(),
        ([line]) => line?.paused === false && line.timing === 'every 3600 s',
      );
      await schedules.delete('d');
      await eventually(
        () => schedules.list(),
        (lines) => lines.length === 0,
      );
    });
  });
});
