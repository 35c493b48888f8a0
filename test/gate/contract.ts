/** What a gate promises wherever its state is kept; by the real clock, as a database has no other. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { isPipelineError } from '../../src/core/errors.ts';
import type { PipelineError } from '../../src/core/errors.ts';
import type { GivenRateConfig } from '../../src/core/rate/config.ts';
import type { Gate, GateReport, Permit } from '../../src/gate/index.ts';

const SUCCESS = { kind: 'success' } as const;
const FAILURE = { kind: 'failure', penalty: false, headers: null } as const;
const OPEN: GivenRateConfig = { initialRate: 500, maxRate: 500 };

/** One source and account, and the processes that ask it one after the other. */
export interface GatePlace {
  /** A gate as a process that starts makes it. */
  start(config: GivenRateConfig): Gate;
  /** What `status` reads. */
  report(): Promise<GateReport | null>;
}

export type GatePlaceFactory = () => Promise<GatePlace>;

function limited(retryAfter: string) {
  return { kind: 'rate_limited', headers: { retryAfter, date: null } } as const;
}

async function refusalOf(asked: Promise<Permit>): Promise<unknown> {
  return await asked.then(
    () => null,
    (error: unknown) => error,
  );
}

export function describeGate(name: string, createPlace: GatePlaceFactory): void {
  const setUp = async () => {
    const place = await createPlace();
    const start = (config: GivenRateConfig = OPEN): Gate => {
      const gate = place.start(config);
      onTestFinished(() => gate.close());
      return gate;
    };
    return { place, start };
  };

  describe(`the gate, kept in ${name}`, () => {
    test('UDL-19: permits lie 1/rate apart, first come first served, and a pause in asking gains no burst', async () => {
      const { start } = await setUp();
      const gate = start({ initialRate: 10, maxRate: 10 });
      const order: number[] = [];
      const times: number[] = [];
      const ask = async (index: number): Promise<void> => {
        (await gate.acquire()).release(SUCCESS);
        order.push(index);
        times.push(performance.now());
      };
      const askedAt = performance.now();
      await Promise.all([ask(0), ask(1), ask(2)]);
      await new Promise((resolve) => setTimeout(resolve, 350));
      const askedAgainAt = performance.now();
      await Promise.all([ask(3), ask(4)]);
      expect(order).toEqual([0, 1, 2, 3, 4]);
      // From when they were asked for: permits may be late, each for itself, but none is before its slot.
      expect(times[2]! - askedAt).toBeGreaterThan(190);
      expect(times[4]! - askedAgainAt).toBeGreaterThan(90);
    });

    test('UDL-17: no more requests at once than allowed; releasing lets the next go, a second release does nothing', async () => {
      const { start } = await setUp();
      const gate = start({ ...OPEN, maxConcurrentRequests: 2 });
      const [first, second] = await Promise.all([gate.acquire(), gate.acquire()]);
      let third: Permit | null = null;
      const waiting = gate.acquire().then((permit) => (third = permit));
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(third).toBeNull();
      first.release(SUCCESS);
      first.release(SUCCESS);
      await waiting;
      expect(gate.snapshot()).toMatchObject({ inFlight: 2, waiting: 0 });
      second.release(SUCCESS);
      (await waiting).release(SUCCESS);
      expect(gate.snapshot().inFlight).toBe(0);
    });

    test('SAFE-10: an aborted wait gives its place up', async () => {
      const { start } = await setUp();
      const gate = start({ ...OPEN, maxConcurrentRequests: 1 });
      const only = await gate.acquire();
      const abort = new AbortController();
      const waiting = refusalOf(gate.acquire(abort.signal));
      abort.abort(new Error('stopped'));
      expect(await waiting).toMatchObject({ message: 'stopped' });
      expect(gate.snapshot().waiting).toBe(0);
      only.release(SUCCESS);
      (await gate.acquire()).release(SUCCESS);
    });

    test('SAFE-2: from the header of a 429 on nothing starts, nor in the next process, until its time is over', async () => {
      const { start } = await setUp();
      const first = start();
      const permit = await first.acquire();
      const saidAt = performance.now();
      permit.report429({ retryAfter: '2', date: null });
      const here = first.acquire().then(
        () => performance.now(),
        () => Infinity,
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      await first.close();
      expect(await here).toBe(Infinity);
      const next = start();
      (await next.acquire()).release(SUCCESS);
      expect(performance.now() - saidAt).toBeGreaterThan(1_900);
    });

    test('SAFE-2: a long pause sends those who wait away with its length, and says until when and why', async () => {
      const { start, place } = await setUp();
      const gate = start();
      (await gate.acquire()).release(limited('900'));
      const error = await refusalOf(gate.acquire());
      if (!isPipelineError(error, 'rate_limited')) throw error;
      expect(error.retryAfterMs).toBeGreaterThan(890_000);
      expect(error.retryAfterMs).toBeLessThan(910_000);
      expect(error.message).toContain('429 with Retry-After 900 s');
      const report = await place.report();
      expect(report).toMatchObject({ rate: 250, cooldown: { why: expect.stringContaining('900 s') as string } });
      expect(Math.abs(Date.parse(report!.cooldown!.until) - Date.now() - 900_000)).toBeLessThan(15_000);
    });

    test('UDL-18: the learnt rate is taken over within the new bounds, and a named one beats it', async () => {
      const { start } = await setUp();
      const first = start({ initialRate: 8 });
      for (let count = 0; count < 6; count += 1) (await first.acquire()).release(SUCCESS);
      await first.close();
      const rates: number[] = [];
      for (const config of [{}, { maxRate: 10 }, { maxRate: 12, initialRate: 3 }]) {
        const gate = start(config);
        await gate.open();
        rates.push(gate.snapshot().rate);
        await gate.close();
      }
      expect(rates).toEqual([14, 10, 3]);
    });

    test('SAFE-4: refused credentials stay refused for the next process; only the id of the incident closes it, then one request probes', async () => {
      const { start } = await setUp();
      const first = start();
      (await first.acquire()).release({ kind: 'auth_rejected', status: 401 });
      expect(await refusalOf(first.acquire())).toMatchObject({ kind: 'auth_rejected' });
      await first.close();
      const next = start();
      const error = await refusalOf(next.acquire());
      if (!isPipelineError(error, 'auth_rejected')) throw error;
      const { incident } = error.context;
      expect(next.snapshot().incident?.id).toBe(incident);
      expect(await next.closeIncident('another')).toBe(false);
      expect(await next.closeIncident(String(incident))).toBe(true);
      expect(await next.closeIncident(String(incident))).toBe(false);
      const probe = await next.acquire();
      const waiting = refusalOf(next.acquire());
      expect(next.snapshot()).toMatchObject({ inFlight: 1, waiting: 1 });
      probe.release(FAILURE);
      expect(await waiting).toMatchObject({ kind: 'source_aborted' });
      expect(await next.closeIncident(next.snapshot().incident!.id)).toBe(true);
      (await next.acquire()).release(SUCCESS);
      expect(next.snapshot()).toMatchObject({ incident: null });
    });

    test('design §2: five failures in a row end the pass, a short pass is ended by its caller, six trip the breaker', async () => {
      const { start } = await setUp();
      const config = { ...OPEN, passWaitMs: 1 };
      for (let pass = 1; pass <= 6; pass += 1) {
        const gate = start(config);
        for (let count = 0; count < (pass === 2 ? 3 : 5); count += 1) (await gate.acquire()).release(FAILURE);
        if (pass === 2) gate.failPass();
        const refusal = await refusalOf(gate.acquire());
        // A pass of a few milliseconds may be over by now; what counts it is not.
        const kinds = pass < 6 ? [undefined, 'source_unavailable'] : ['source_aborted'];
        expect(kinds).toContain((refusal as PipelineError | null)?.kind);
        expect(gate.snapshot().failedPasses).toBe(pass % 6);
        await gate.close();
        await new Promise((resolve) => setTimeout(resolve, 2 ** pass));
      }
    });

    test('SAFE-3: others read who asks and the receipts, of all and of each run, that outlive the process', async () => {
      const { start, place } = await setUp();
      const run = { runId: 'r1', workspace: 'ws-1' };
      const first = start();
      for (let count = 0; count < 3; count += 1) (await first.forRun(run).acquire()).release(SUCCESS);
      (await first.acquire()).release(limited('1'));
      await first.keep();
      expect(await place.report()).toMatchObject({ holder: { pid: process.pid }, holders: [{ pid: process.pid }] });
      await first.close();
      const second = start();
      (await second.forRun(run).acquire()).release(SUCCESS);
      await second.close();
      const report = await place.report();
      expect(report).toMatchObject({
        holder: null,
        holders: [],
        incident: null,
        receipts: { total: { requests: 5, rateLimited: 1 }, runs: [{ ...run, requests: 4, rateLimited: 0 }] },
      });
      expect(report!.receipts.total.worstSecond).toBeGreaterThanOrEqual(1);
      expect(report!.receipts.total.secondsWaited).toBeGreaterThan(0);
    });

    test('nothing is given after it was closed', async () => {
      const { start } = await setUp();
      const gate = start();
      await gate.open();
      const only = await gate.acquire();
      await gate.close();
      only.release(SUCCESS);
      await expect(gate.acquire()).rejects.toThrow('closed');
    });
  });
}
