import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dayWorkflowId } from '../../src/core/backfill/ids.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { DayAttempt } from '../../src/activities/types.ts';
import type { Day } from '../../src/core/time/day.ts';
import { eventually, failure, fakeActivities, startTestServer, withRange } from './harness.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startTestServer();
});
afterAll(async () => {
  await env.teardown();
});

interface WorkflowMetadata {
  readonly currentDetails?: string;
  readonly definition?: { readonly signalDefinitions?: readonly { name: string; description: string }[] };
}

const day = (text: string): Day => parseDay(text);

/** A gate that days wait at until the test opens it. */
function barrier(): { open(): void; wait: Promise<void> } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), wait };
}

/** As an operator's shell sends it. */
async function temporalSignal(workflowId: string, name: string, input?: string): Promise<void> {
  const args = ['workflow', 'signal', '--address', env.address, '--workflow-id', workflowId, '--name', name];
  const cli = process.env['TEMPORAL_CLI_PATH'] ?? 'temporal';
  await promisify(execFile)(cli, [...args, ...(input === undefined ? [] : ['--input', input])]);
}

describe('a range of days', () => {
  test('does every day once, at most K at a time, and sums up', async () => {
    // None ends before as many are under way as may be.
    const three = barrier();
    const { world, activities } = fakeActivities(async () => {
      if (world.running === 3) three.open();
      await three.wait;
    });
    const result = await withRange(env, activities, { last: '2025-09-08', concurrency: 3 }, (handle) =>
      handle.result(),
    );
    expect(world.finished.toSorted()).toEqual(
      ['01', '02', '03', '04', '05', '06', '07', '08'].map((d) => `2025-09-${d}`),
    );
    expect(world.peak).toBe(3);
    expect(result).toMatchObject({ failedDays: 0, notAttempted: 0, stopped: null });
    expect(result.totals).toMatchObject({
      done: 8,
      records: 800,
      requests: 32,
      stages: { download: 8, count: 8, build: 0 },
    });
  });

  test('TEL-25: --limit-days gives work to exactly that many days', async () => {
    const { world, activities } = fakeActivities();
    const result = await withRange(env, activities, { options: { limitDays: 2 } }, (handle) => handle.result());
    expect(world.finished).toHaveLength(2);
    expect(result.totals.done).toBe(2);
  });

  test('SAFE-14: newest first, the last day is alone until it is done; then as many at once as are allowed', async () => {
    const begun: string[] = [];
    const besides: number[] = [];
    const { world, activities } = fakeActivities(async (of) => {
      begun.push(of);
      besides.push(world.finished.length);
      // Long enough for others to begin beside it, were they let.
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    const scenario = { options: { newestFirst: true }, measureFirst: true, concurrency: 3 };
    await withRange(env, activities, scenario, (handle) => handle.result());
    expect(begun[0]).toBe('2025-09-04');
    expect(begun.toSorted()).toEqual(['01', '02', '03', '04'].map((d) => `2025-09-${d}`));
    // None of the others began before the first one was done.
    expect(besides[0]).toBe(0);
    expect(Math.min(...besides.slice(1))).toBeGreaterThanOrEqual(1);
  });

  test('SAFE-6: finished days start no child workflow', async () => {
    const { world, activities } = fakeActivities();
    world.finished.push(day('2025-09-01'), day('2025-09-02'), day('2025-09-03'), day('2025-09-04'));
    const events = await withRange(env, activities, {}, async (handle) => {
      const result = await handle.result();
      expect(result.totals.skipped.existing).toBe(4);
      return (await handle.fetchHistory()).events ?? [];
    });
    expect(events.filter((event) => event.startChildWorkflowExecutionInitiatedEventAttributes)).toEqual([]);
  });

  test('a failed day never ends the range, waits with its reason, and is retried on a signal', async () => {
    const { world, activities } = fakeActivities(async (which, tries) => {
      if (which === '2025-09-02' && tries === 1)
        throw failure('slice_exhausted', 'slice 00:05 failed 6 times', { hint: 'look at it' });
    });
    await withRange(env, activities, {}, async (handle, client) => {
      const waiting = await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      expect(waiting.totals.done).toBe(3);
      expect(waiting.recentFailures).toEqual([
        {
          day: '2025-09-02',
          stage: 'download',
          kind: 'slice_exhausted',
          message: 'slice 00:05 failed 6 times',
          hint: 'look at it',
          stagesDone: [],
          requests: 0,
        },
      ]);
      expect(world.failed).toEqual(['2025-09-02']);
      await client.retryFailedDays(handle);
      const result = await handle.result();
      expect(result).toMatchObject({ failedDays: 0, totals: { done: 4 } });
    });
  });

  test('retryFailedDays takes single days; a day that did not fail is ignored', async () => {
    const { activities } = fakeActivities(async (which, tries) => {
      if (which <= '2025-09-02' && tries === 1) throw failure('slice_exhausted', 'no');
    });
    await withRange(env, activities, {}, async (handle, client) => {
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      await client.retryFailedDays(handle, [day('2025-09-01'), day('2025-09-04')]);
      const after = await eventually(
        () => client.progress(handle),
        (progress) => progress.failedDays === 1 && progress.running.length === 0,
      );
      expect(after.recentFailures.map((failed) => failed.day)).toEqual(['2025-09-02']);
      await client.finish(handle);
      expect(await handle.result()).toMatchObject({ failedDays: 1, totals: { done: 3 } });
    });
  });

  test('signals of the temporal CLI are understood, with and without input; odd input harms nothing', async () => {
    const { activities } = fakeActivities(async (which, tries) => {
      if (which === '2025-09-02' && tries === 1) throw failure('slice_exhausted', 'no');
    });
    await withRange(env, activities, {}, async (handle, client) => {
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      await temporalSignal(handle.workflowId, 'pause', '"by hand"');
      const paused = await eventually(
        () => client.progress(handle),
        (progress) => progress.pause !== null,
      );
      expect(paused.pause).toMatchObject({ by: 'operator', reason: 'by hand' });
      for (const odd of ['{"day":1}', '"2025-09-02"', '[7, null]', 'null']) {
        await temporalSignal(handle.workflowId, 'retryFailedDays', odd);
      }
      await temporalSignal(handle.workflowId, 'pause', '{"why":1}');
      await temporalSignal(handle.workflowId, 'resume');
      await temporalSignal(handle.workflowId, 'retryFailedDays');
      expect(await handle.result()).toMatchObject({ failedDays: 0, totals: { done: 4 } });
    });
  });

  test('pause lets running days drain and starts no others; resume goes on', async () => {
    const gate = barrier();
    const { world, activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, { concurrency: 1 }, async (handle, client) => {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await client.pause(handle, 'maintenance');
      gate.open();
      const paused = await eventually(
        () => client.progress(handle),
        (progress) => progress.running.length === 0,
      );
      expect(paused).toMatchObject({
        state: 'Paused',
        pause: { by: 'operator', reason: 'maintenance' },
        totals: { done: 1 },
      });
      await client.resume(handle);
      expect((await handle.result()).totals.done).toBe(4);
    });
  });

  test('finish drains and returns what was not attempted', async () => {
    const gate = barrier();
    const { world, activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, { concurrency: 1 }, async (handle, client) => {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await client.finish(handle);
      gate.open();
      expect(await handle.result()).toMatchObject({ totals: { done: 1 }, notAttempted: 3, failedDays: 0 });
    });
  });

  test('setConcurrency answers the former value and refuses what makes no sense', async () => {
    const gate = barrier();
    const { world, activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, { concurrency: 1 }, async (handle, client) => {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      expect(await client.setConcurrency(handle, 3)).toBe(1);
      await eventually(
        async () => world.running,
        (running) => running === 3,
      );
      await expect(client.setConcurrency(handle, 0)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('1 to 32') },
      });
      gate.open();
      await handle.result();
    });
  });

  test('SAFE-4: when the source stops the run, days are neither failed nor done; resume closes the incident first', async () => {
    let broken = true;
    const { world, activities } = fakeActivities(async () => {
      if (broken)
        throw failure('source_aborted', 'six passes failed', { incident: 'incident-1', hint: 'ask the provider' });
    });
    await withRange(env, activities, { concurrency: 1 }, async (handle, client) => {
      const stopped = await eventually(
        () => client.progress(handle),
        (progress) => progress.pause !== null && progress.running.length === 0,
      );
      expect(stopped).toMatchObject({
        state: 'NeedsAttention',
        failedDays: 0,
        settledDays: 0,
        pause: { by: 'source', incident: 'incident-1' },
      });
      expect(world.failed).toEqual([]);
      broken = false;
      await client.resume(handle);
      expect((await handle.result()).totals.done).toBe(4);
      expect(world.closedIncidents).toEqual(['incident-1']);
    });
  });

  test('SAFE-2: while a download waits out a long pause, the range shows Cooldown, until when and why; then Running', async () => {
    const reopened = barrier();
    const { activities } = fakeActivities(async (_day, tries) => {
      if (tries === 2) await reopened.wait;
      if (tries === 1) {
        throw ApplicationFailure.create({ type: 'rate_limited', message: 'a pause', nextRetryDelay: '9 seconds' });
      }
    });
    const until = '2025-09-01T12:00:00.000Z';
    await withRange(env, activities, { last: '2025-09-01' }, async (handle, client) => {
      await eventually(
        () => client.progress(handle),
        ({ state }) => state === 'Running',
      );
      for (const bad of ['', {}, { until: 'soon', why: 'x', waitMs: 1 }, { until, why: 'x', waitMs: -1 }]) {
        await handle.signal('cooldown', bad);
      }
      for (const _twice of [1, 2]) await handle.signal('cooldown', { until, why: 'Retry-After 300 s', waitMs: 8_000 });
      const waiting = await eventually(
        () => client.progress(handle),
        ({ state }) => state === 'Cooldown',
      );
      expect(waiting.cooldown).toEqual({ until, why: 'Retry-After 300 s' });
      const shown = await handle.query<WorkflowMetadata>('__temporal_workflow_metadata');
      expect(shown.currentDetails).toContain(`**Waiting until ${until}**: Retry-After 300 s`);
      expect((await handle.describe()).typedSearchAttributes.getAll()).toContainEqual(
        expect.objectContaining({ value: 'Cooldown' }),
      );
      const after = await eventually(
        () => client.progress(handle),
        ({ state }) => state === 'Running',
      );
      expect(after).toMatchObject({ cooldown: null, running: ['2025-09-01'] });
      reopened.open();
      expect(await handle.result()).toMatchObject({ failedDays: 0, totals: { done: 1 } });
      const { events } = await handle.fetchHistory();
      expect(events?.filter(({ timerStartedEventAttributes }) => timerStartedEventAttributes)).toHaveLength(1);
    });
  });

  test('SAFE-4: paused by the operator and stopped by the source at once: one resume ends both', async () => {
    const stopped = barrier();
    const { world, activities } = fakeActivities(async (_day, tries) => {
      if (tries > 1) return;
      await stopped.wait;
      throw failure('source_aborted', 'six passes failed', { incident: 'incident-1' });
    });
    await withRange(env, activities, { last: '2025-09-02', concurrency: 1 }, async (handle, client) => {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await client.pause(handle, 'lunch');
      stopped.open();
      await eventually(
        () => client.progress(handle),
        ({ state }) => state === 'NeedsAttention',
      );
      await client.resume(handle);
      // The second day is stopped like the first; its incident was not under way when the first was answered.
      await eventually(
        () => client.progress(handle),
        ({ pause, running }) => pause !== null && running.length === 0,
      );
      expect(world.closedIncidents).toEqual(['incident-1']);
      await client.resume(handle);
      expect(await handle.result()).toMatchObject({ failedDays: 0, totals: { done: 2 } });
    });
  });

  test('continues as new after draining, with its totals and failures carried over', async () => {
    const { world, activities } = fakeActivities(async (which) => {
      if (which === '2025-09-03') throw failure('slice_exhausted', 'no');
    });
    await withRange(env, activities, { last: '2025-09-12', maxDaysPerRun: 5 }, async (handle, client) => {
      const progress = await eventually(
        () => client.progress(handle),
        (now) => now.state === 'NeedsAttention',
      );
      expect(progress).toMatchObject({ totals: { done: 11 }, failedDays: 1 });
      await client.finish(handle);
      expect(await handle.result()).toMatchObject({ totals: { done: 11 }, failedDays: 1 });
    });
    expect(new Set(world.finished).size).toBe(world.finished.length);
  });

  test('one range at a time under one name', async () => {
    const gate = barrier();
    const { activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, {}, async (handle, client, input) => {
      const second = await client.startRange(input);
      expect(second.started).toBe(false);
      expect(second.handle.workflowId).toBe(handle.workflowId);
      gate.open();
      await handle.result();
    });
  });

  test('two overlapping ranges never do one day at once', async () => {
    const gate = barrier();
    const { world, activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, { last: '2025-09-02' }, async (handle, client, input) => {
      await eventually(
        async () => world.running,
        (running) => running === 2,
      );
      const { handle: other } = await client.startRange({ ...input, last: day('2025-09-03') });
      const waiting = await eventually(
        () => client.progress(other),
        (progress) => progress.elsewhere.length === 2,
      );
      expect(waiting.running).toEqual(['2025-09-03']);
      gate.open();
      await handle.result();
      await client.finish(other);
      await other.result();
    });
    expect(world.finished.toSorted()).toEqual(['2025-09-01', '2025-09-02', '2025-09-03']);
  });

  test('a cancelled range closes after its days have stopped', async () => {
    const gate = barrier();
    const { world, activities } = fakeActivities(() => gate.wait);
    await withRange(env, activities, { concurrency: 1 }, async (handle, client, input) => {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await handle.cancel();
      gate.open();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      const child = await client.temporal.workflow
        .getHandle(dayWorkflowId(input.workspace, input.product, input.first))
        .describe();
      expect(child.status.name).toBe('CANCELLED');
    });
  });

  test('a stranger at the web UI finds summary, state, details and what each signal does', async () => {
    const { activities } = fakeActivities(async (which) => {
      if (which === '2025-09-02') throw failure('slice_exhausted', 'slice 00:05 failed 6 times');
    });
    await withRange(env, activities, {}, async (handle, client, input) => {
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      const described = await handle.describe();
      expect(await described.staticSummary()).toBe('reach-101/quicklook 2025-09-01..2025-09-04 (4 days)');
      expect(described.typedSearchAttributes.getAll()).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            key: expect.objectContaining({ name: 'ReachbackState' }),
            value: 'NeedsAttention',
          }),
          expect.objectContaining({ key: expect.objectContaining({ name: 'ReachbackFailedDays' }), value: 1 }),
        ]),
      );
      const metadata = await handle.query<WorkflowMetadata>('__temporal_workflow_metadata');
      expect(metadata.currentDetails).toContain('`2025-09-02` download: slice 00:05 failed 6 times');
      const signals = Object.fromEntries(
        (metadata.definition?.signalDefinitions ?? []).map(({ name, description }) => [name, description]),
      );
      expect(Object.keys(signals).toSorted()).toEqual(['cooldown', 'finish', 'pause', 'resume', 'retryFailedDays']);
      expect(Object.values(signals).every((text) => text.length > 20)).toBe(true);
      const child = await client.temporal.workflow
        .getHandle(dayWorkflowId(input.workspace, input.product, input.first))
        .describe();
      expect(await child.staticSummary()).toBe('reach-101/quicklook 2025-09-01: download, count');
      await client.finish(handle);
      await handle.result();
    });
  });

  test('histories stay small: at most 50 events per day, 10 per day in the range', async () => {
    const { activities } = fakeActivities();
    await withRange(env, activities, { last: '2025-09-20' }, async (handle, client, input) => {
      await handle.result();
      const range = (await handle.fetchHistory()).events ?? [];
      const child = await client.temporal.workflow
        .getHandle(dayWorkflowId(input.workspace, input.product, input.first))
        .fetchHistory();
      expect(range.length / 20).toBeLessThanOrEqual(10);
      expect((child.events ?? []).length).toBeLessThanOrEqual(50);
    });
  });

  test('a day that is built without the folder: staged, built, taken home, in that order, within the same 50 events', async () => {
    const { activities } = fakeActivities(undefined, true);
    const told: string[] = [];
    const spied = {
      ...activities,
      async stageInput(attempt: DayAttempt) {
        told.push('stage');
        return await activities.stageInput(attempt);
      },
      async buildCdf(attempt: DayAttempt) {
        told.push(`build ${attempt.staged?.key}`);
        return { seconds: 2, productPath: '/elsewhere' };
      },
      async takeProduct(attempt: DayAttempt) {
        told.push(`take ${attempt.staged?.key}`);
        return { seconds: 1, productPath: '/home' };
      },
    };
    await withRange(env, spied, { last: '2025-09-01' }, async (handle, client, input) => {
      const result = await handle.result();
      const key = 'days/reach-101/quicklook/2025-09-01/input';
      expect(told).toEqual(['stage', `build ${key}`, `take ${key}`]);
      expect(result.totals).toMatchObject({ done: 1, stages: { build: 1 }, busySeconds: 5 });
      const child = client.temporal.workflow.getHandle(dayWorkflowId(input.workspace, input.product, input.first));
      expect(await child.result()).toMatchObject({ productPath: '/home' });
      expect(((await child.fetchHistory()).events ?? []).length).toBeLessThanOrEqual(50);
    });
  });

  test('a worker that stages nothing any more builds such a day by its folder', async () => {
    const { activities } = fakeActivities(undefined, true);
    const refuse = async (): Promise<never> => {
      throw failure('invariant_broken', 'nothing was staged');
    };
    const builds: DayAttempt[] = [];
    const plain = {
      ...activities,
      stageInput: async () => null,
      takeProduct: refuse,
      async buildCdf(attempt: DayAttempt) {
        builds.push(attempt);
        return { seconds: 1 };
      },
    };
    await withRange(env, plain, { last: '2025-09-01' }, async (handle) => {
      expect((await handle.result()).totals).toMatchObject({ done: 1 });
      expect(builds.map(({ staged }) => staged)).toEqual([undefined]);
    });
  });
});
