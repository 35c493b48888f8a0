/** Runs a range through real workflows and activities in a workspace of its own, against a given source. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import pino from 'pino';
import type { ActivityDependencies } from '../../../src/activities/dependencies.ts';
import { createActivities } from '../../../src/activities/index.ts';
import type { RangeResult } from '../../../src/core/backfill/range-progress.ts';
import { checkRateConfig } from '../../../src/core/rate/config.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { Day } from '../../../src/core/time/day.ts';
import { createGate } from '../../../src/gate/index.ts';
import { openLedger } from '../../../src/ledger/index.ts';
import type { DayFacts, SliceRow } from '../../../src/ledger/ledger.ts';
import { createUdlSource } from '../../../src/sources/udl/index.ts';
import { openWorkspace } from '../../../src/storage/workspace.ts';
import type { ProductSlug } from '../../../src/core/product.ts';
import { fastClock } from '../../activities/download/set-up.ts';
import { withRange } from '../../workflows/harness.ts';
import type { Setting } from './cases.ts';
import { watchPauses } from './witness.ts';

export interface RangeRequest {
  readonly folder: string;
  readonly url: string;
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly setting: Setting;
  /** Days at once. */
  readonly concurrency: number;
}

export interface PlayedDay {
  readonly facts: DayFacts;
  readonly slices: readonly SliceRow[];
  /** Of the product as it stands on disk; null when there is none. */
  readonly productSha256: string | null;
}

export interface PlayedRange {
  readonly result: RangeResult;
  readonly days: ReadonlyMap<Day, PlayedDay>;
  /** Of downloads. */
  readonly downloads: string;
  /** Days of the requests that began in a pause which the client knew of, one entry a request. */
  readonly begunInPause: readonly Day[];
}

/** Failed days are left as they are. */
export async function playRange(env: TestWorkflowEnvironment, request: RangeRequest): Promise<PlayedRange> {
  const { url, product, first, last, setting } = request;
  const workspace = await openWorkspace({ dir: request.folder });
  const { ledger, telemetry } = await openLedger({ workspace, url: null });
  const { maxConcurrentRequests, requestTimeoutMs, gateClock } = setting;
  const pacing = { initialRate: 1_000, minRate: 500, maxRate: 1_000, passWaitMs: 20 };
  const { source, begunInPause } = watchPauses(
    createUdlSource({ baseUrl: url, token: new Secret('Basic faults'), threads: 1, requestTimeoutMs }),
  );
  const log = pino({ enabled: false });
  const today = (): string => '2026-02-01';
  const deps: ActivityDependencies = {
    workspace,
    ledger,
    telemetry,
    gate: createGate({
      config: checkRateConfig({ ...pacing, maxConcurrentRequests }),
      ...(gateClock !== 1 && { clock: fastClock(gateClock) }),
    }),
    source,
    planning: { ledger, folders: workspace, today, log },
    destinationAt: () => {
      throw new Error('nothing is delivered here');
    },
    zarrStoreAt: () => {
      throw new Error('no Zarr store here');
    },
    log,
    today,
  };
  try {
    const scenario = { first, last, concurrency: request.concurrency, product, workspace: workspace.name };
    const result = await withRange(env, createActivities(deps), scenario, async (handle, client) => {
      // With failed days a range waits for someone to retry them.
      const result = client.result(handle);
      for (;;) {
        const outcome = await Promise.race([result, sleep(500, null)]);
        if (outcome !== null) return outcome;
        const { state } = await client.progress(handle);
        if (state === 'NeedsAttention') await client.finish(handle);
      }
    });
    const days = new Map<Day, PlayedDay>();
    for (const facts of await ledger.dayFacts(product, first, last, null)) {
      const path = facts.productFile?.path;
      const productSha256 =
        path === undefined
          ? null
          : createHash('sha256')
              .update(await readFile(path))
              .digest('hex');
      days.set(facts.day, { facts, slices: await ledger.slices(product, facts.day), productSha256 });
    }
    return { result, days, downloads: workspace.downloads, begunInPause };
  } finally {
    await source.close();
    await ledger.close();
  }
}
