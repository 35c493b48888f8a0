import { describe, expect, test } from 'vitest';
import { createGate } from '../../src/gate/index.ts';
import type { Gate, Permit } from '../../src/gate/index.ts';
import type { RateConfig } from '../../src/core/rate/config.ts';
import { VirtualClock } from './virtual-clock.ts';

const SUCCESS = { kind: 'success' } as const;
const FAILURE = { kind: 'failure', penalty: false, headers: null } as const;
const OPEN: Partial<RateConfig> = { initialRate: 1_000, maxRate: 1_000, additiveIncrease: 0 };

function limited(retryAfter: string | null) {
  return { kind: 'rate_limited', headers: { retryAfter, date: null } } as const;
}

function setUp(config: Partial<RateConfig> = {}): { clock: VirtualClock; gate: Gate } {
  const clock = new VirtualClock();
  return { clock, gate: createGate({ config, clock, random: () => 0.5 }) };
}

/** Asks for a permit and lets just enough time pass for it. */
async function permit({ clock, gate }: { clock: VirtualClock; gate: Gate }): Promise<Permit> {
  const asked = gate.acquire();
  asked.catch(() => undefined);
  await clock.advance(2_000);
  return asked;
}

/** Five failures: the end of a pass. */
async function failPass(parts: { clock: VirtualClock; gate: Gate }): Promise<void> {
  for (let count = 0; count < 5; count += 1) (await permit(parts)).release(FAILURE);
}

describe('UDL-19: spacing', () => {
  test('the first permit is given at once, the others 1/rate apart, first come first served', async () => {
    const { clock, gate } = setUp({ initialRate: 2, additiveIncrease: 0 });
    const start = clock.now();
    const granted: [number, number][] = [];
    for (const index of [0, 1, 2]) void gate.acquire().then(() => granted.push([index, clock.now() - start]));
    await clock.advance(5_000);
    expect(granted).toEqual([
      [0, 0],
      [1, 500],
      [2, 1_000],
    ]);
  });

  test('a slow request gains no credit: no burst follows a pause', async () => {
    const parts = setUp({ initialRate: 2, additiveIncrease: 0 });
    (await permit(parts)).release(SUCCESS);
    await parts.clock.advance(60_000);
    const start = parts.clock.now();
    const granted: number[] = [];
    for (let count = 0; count < 3; count += 1)
      void parts.gate.acquire().then(() => granted.push(parts.clock.now() - start));
    await parts.clock.advance(5_000);
    expect(granted).toEqual([0, 500, 1_000]);
  });
});

describe('UDL-17: concurrency', () => {
  test('one limit for all days; releasing lets the next one go, a second release does nothing', async () => {
    const { clock, gate } = setUp({ ...OPEN, maxConcurrentRequests: 2 });
    const permits: Permit[] = [];
    for (let count = 0; count < 4; count += 1) void gate.acquire().then((given) => permits.push(given));
    await clock.advance(1_000);
    expect(permits).toHaveLength(2);
    permits[0]!.release(SUCCESS);
    permits[0]!.release(SUCCESS);
    await clock.advance(1_000);
    expect(permits).toHaveLength(3);
    expect(gate.snapshot()).toMatchObject({ inFlight: 2, waiting: 1 });
  });

  test('an aborted wait gives its place up and leaves no timer (SAFE-10)', async () => {
    const { clock, gate } = setUp({ initialRate: 1 });
    await gate.acquire();
    const abort = new AbortController();
    const waiting = gate.acquire(abort.signal);
    abort.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    await expect(gate.acquire(abort.signal)).rejects.toThrow('stopped');
    expect(gate.snapshot().waiting).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('SAFE-2: cooldown', () => {
  test('from the moment a 429 header is reported nothing starts until the pause is over', async () => {
    const { clock, gate } = setUp(OPEN);
    const first = await gate.acquire();
    let started = 0;
    first.report429({ retryAfter: '20', date: null });
    void gate.acquire().then(() => (started += 1));
    await clock.advance(19_999);
    expect(started).toBe(0);
    expect(gate.snapshot().cooldown).toMatchObject({ why: 'the source answered 429 with Retry-After 20 s' });
    await clock.advance(2);
    expect(started).toBe(1);
  });

  test('header and release of one 429 count once', async () => {
    const { gate } = setUp({ initialRate: 8 });
    const first = await gate.acquire();
    first.report429({ retryAfter: '3', date: null });
    first.release(limited('3'));
    expect(gate.snapshot()).toMatchObject({ rate: 4, inFlight: 0, stats: { requests: 1, rateLimited: 1 } });
  });

  test('a pause above two minutes sends waiters away with its length', async () => {
    const { clock, gate } = setUp(OPEN);
    const first = await gate.acquire();
    await clock.advance(10);
    const second = await gate.acquire();
    first.report429({ retryAfter: '30', date: null });
    const waiting = gate.acquire();
    second.release(limited('300'));
    const error = await waiting.catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'rate_limited', retryAfterMs: 302_500 });
    expect((error as Error).message).toContain('pause of 300 s');
  });

  test.for([
    ['microseconds since 1970', '1763760000000000'],
    ['400 digits', '9'.repeat(400)],
    ['the last date there is', 'Fri, 31 Dec 275759 23:59:59 GMT'],
  ] as const)(
    'SAFE-2: a Retry-After of %s stops requests as any long pause does, until an operator resumes',
    async ([, retryAfter]) => {
      const { clock, gate } = setUp(OPEN);
      const headers = { retryAfter, date: 'Thu, 01 Jan 1970 00:00:00 GMT' };
      (await gate.acquire()).release({ kind: 'rate_limited', headers });
      await expect(gate.acquire()).rejects.toMatchObject({
        kind: 'source_aborted',
        context: { reason: 'rate_limited_too_long' },
      });
      await clock.advance(60_000);
      expect(await gate.closeIncident(gate.snapshot().incident!.id)).toBe(true);
      (await gate.acquire()).release({ kind: 'success' });
      expect(gate.snapshot()).toMatchObject({ incident: null, cooldown: null });
    },
  );

  async function pausedForDays() {
    const parts = setUp(OPEN);
    (await parts.gate.acquire()).release(limited(String(7 * 86_400)));
    await expect(parts.gate.acquire()).rejects.toMatchObject({
      kind: 'source_aborted',
      context: { reason: 'rate_limited_too_long' },
    });
    await parts.clock.advance(60_000);
    expect(await parts.gate.closeIncident(parts.gate.snapshot().incident!.id)).toBe(true);
    const asked = [parts.gate.acquire(), parts.gate.acquire()];
    await parts.clock.advance(60_000);
    expect(parts.gate.snapshot()).toMatchObject({ inFlight: 1, waiting: 1 });
    return { ...parts, probe: await asked[0]!, waiting: asked[1]! };
  }

  test('design §3: a pause above six hours is an incident; resumed, one probe leaves, and its success ends the pause', async () => {
    const { clock, gate, probe, waiting } = await pausedForDays();
    probe.release(SUCCESS);
    await clock.advance(10);
    (await waiting).release(SUCCESS);
    expect(gate.snapshot()).toMatchObject({ cooldown: null, incident: null, probing: false });
  });

  test('SAFE-2: a probe that is answered 429 again begins the pause that it asks for', async () => {
    const { clock, gate, probe, waiting } = await pausedForDays();
    probe.release(limited('90'));
    let left = false;
    void waiting.then(() => (left = true));
    await clock.advance(89_000);
    expect([left, gate.snapshot().cooldown?.why]).toEqual([false, 'the source answered 429 with Retry-After 90 s']);
    await clock.advance(1_100);
    expect(left).toBe(true);
  });

  test('one that is sent away for days again is the next incident', async () => {
    const { gate, probe, waiting } = await pausedForDays();
    probe.release(limited(String(7 * 86_400)));
    await expect(waiting).rejects.toMatchObject({ kind: 'source_aborted' });
    expect(gate.snapshot().incident).toMatchObject({ reason: 'rate_limited_too_long' });
  });

  test('a source that only answers 429 sees 30 requests, then the run is paused; a resume does not shorten the last pause', async () => {
    const { clock, gate } = setUp(OPEN);
    let requests = 0;
    for (;;) {
      const asked = gate.acquire().catch((error: { kind: string; retryAfterMs: number }) => error);
      await clock.advance(120_000);
      const given = await asked;
      if ('kind' in given) {
        if (given.kind !== 'rate_limited') break;
        await clock.advance(given.retryAfterMs);
        continue;
      }
      requests += 1;
      given.release(limited(null));
    }
    expect(requests).toBe(30);
    expect(gate.refusal()).toMatchObject({ kind: 'source_aborted', context: { reason: 'rate_limited_too_long' } });
    const { cooldown } = gate.snapshot();
    await gate.closeIncident(gate.snapshot().incident!.id);
    expect(cooldown).not.toBeNull();
    expect(gate.snapshot()).toMatchObject({ cooldown, incident: null });
  });
});

describe('SAFE-4: breaker', () => {
  test('a closed pass refuses with the time of the next try, also those who already wait', async () => {
    const parts = setUp({ ...OPEN, maxConcurrentRequests: 1 });
    for (let count = 0; count < 4; count += 1) (await permit(parts)).release(FAILURE);
    const last = await permit(parts);
    const waiting = parts.gate.acquire();
    last.release(FAILURE);
    await expect(waiting).rejects.toMatchObject({ kind: 'source_unavailable', retryAfterMs: 4_500 });
    await parts.clock.advance(4_500);
    await expect(parts.gate.acquire()).resolves.toBeDefined();
  });

  test('a source that always fails sees 30 requests and what was under way', async () => {
    const { clock, gate } = setUp({ ...OPEN, maxConcurrentRequests: 4 });
    let requests = 0;
    async function runner(): Promise<unknown> {
      for (;;) {
        const given = await gate.acquire().catch((error: { kind: string; retryAfterMs: number }) => error);
        if ('kind' in given) {
          if (given.kind !== 'source_unavailable') return given;
          await clock.sleep(given.retryAfterMs);
          continue;
        }
        requests += 1;
        await clock.sleep(50);
        given.release(FAILURE);
      }
    }
    const runners = Promise.all(Array.from({ length: 8 }, runner));
    await clock.advance(3_600_000);
    const errors = await runners;
    expect(requests).toBeGreaterThanOrEqual(30);
    expect(requests).toBeLessThanOrEqual(6 * (5 + 3));
    expect(errors).toEqual(Array.from({ length: 8 }, () => expect.objectContaining({ kind: 'source_aborted' })));
  });

  test('401 stops at the first answer; the error names the incident', async () => {
    const { gate } = setUp();
    (await gate.acquire()).release({ kind: 'auth_rejected', status: 401 });
    const { incident } = gate.snapshot();
    await expect(gate.acquire()).rejects.toMatchObject({
      kind: 'auth_rejected',
      context: { incident: incident!.id },
      message: expect.stringContaining('401'),
      hint: expect.stringContaining('BASICAUTH'),
    });
  });

  test('resume lets one probe through; its success opens the gate, its failure is a new incident', async () => {
    const parts = setUp({ ...OPEN, maxConcurrentRequests: 4 });
    const { clock, gate } = parts;
    (await permit(parts)).release({ kind: 'auth_rejected', status: 403 });
    const first = gate.snapshot().incident!.id;
    expect(await gate.closeIncident('another')).toBe(false);
    expect(await gate.closeIncident(first)).toBe(true);
    expect(await gate.closeIncident(first)).toBe(false);

    const probes: Permit[] = [];
    const waiting = [1, 2, 3].map(() => gate.acquire().then((given) => probes.push(given)));
    await clock.advance(60_000);
    expect(probes).toHaveLength(1);
    probes[0]!.release(SUCCESS);
    await Promise.all([clock.advance(60_000), ...waiting]);
    expect(probes).toHaveLength(3);
    for (const probe of probes) probe.release(SUCCESS);

    (await permit(parts)).release({ kind: 'auth_rejected', status: 403 });
    await gate.closeIncident(gate.snapshot().incident!.id);
    (await permit(parts)).release(FAILURE);
    expect(gate.snapshot().incident).toMatchObject({ reason: 'source_failing', why: 'the probe failed' });
    expect(gate.snapshot().incident!.id).not.toBe(first);
  });

  test('a short pass that failed as a whole counts as one, once; one without a failure does not', async () => {
    const parts = setUp(OPEN);
    const { clock, gate } = parts;
    gate.failPass();
    expect(gate.snapshot()).toMatchObject({ failedPasses: 0, hasSucceeded: false });
    (await permit(parts)).release(SUCCESS);
    gate.failPass();
    expect(gate.snapshot()).toMatchObject({ failedPasses: 0, hasSucceeded: true });
    for (let pass = 1; pass <= 5; pass += 1) {
      (await permit(parts)).release(FAILURE);
      gate.failPass();
      gate.failPass();
      expect(gate.snapshot()).toMatchObject({ failedPasses: pass, incident: null });
      expect(gate.refusal()).toMatchObject({ kind: 'source_unavailable' });
      await clock.advance(300_000);
    }
    (await permit(parts)).release(FAILURE);
    gate.failPass();
    expect(gate.refusal()).toMatchObject({ kind: 'source_aborted', context: { reason: 'source_failing' } });
    const { incident } = gate.snapshot();
    gate.failPass();
    expect(gate.snapshot().incident).toEqual(incident);
  });

  test('a success between passes starts the count over', async () => {
    const parts = setUp(OPEN);
    for (let pass = 0; pass < 5; pass += 1) {
      await failPass(parts);
      await parts.clock.advance(300_000);
    }
    expect(parts.gate.snapshot().failedPasses).toBe(5);
    (await permit(parts)).release(SUCCESS);
    expect(parts.gate.snapshot().failedPasses).toBe(0);
  });
});

describe('order', () => {
  test('who came earlier is served first with all requests, so that days are complete one after the other', async () => {
    const { clock, gate } = setUp({ ...OPEN, maxConcurrentRequests: 1 });
    const held = await gate.acquire();
    const [first, second] = ['r1', 'r1'].map((runId) => gate.forRun({ runId, workspace: 'ws' })) as [Gate, Gate];
    const served: string[] = [];
    const ask = async (day: Gate, name: string): Promise<void> => {
      const granted = await day.acquire();
      served.push(name);
      granted.release(SUCCESS);
    };
    const asked = [ask(second, 'second 1'), ask(first, 'first 1'), ask(second, 'second 2'), ask(first, 'first 2')];
    held.release(SUCCESS);
    for (const _ of asked) await clock.advance(2_000);
    expect(served).toEqual(['first 1', 'first 2', 'second 1', 'second 2']);
  });
});

describe('receipt', () => {
  test('the receipt tells requests, 429s, seconds held back and the worst second', async () => {
    const { clock, gate } = setUp({ initialRate: 2, additiveIncrease: 0 });
    (await gate.acquire()).release(limited('10'));
    const waiting = gate.acquire();
    await clock.advance(10_000);
    (await waiting).release(SUCCESS);
    expect(gate.snapshot().stats).toEqual({ requests: 2, rateLimited: 1, secondsWaited: 10, worstSecond: 1 });
  });

  test('a permit that a pause held back before its request left is no request: not in the sum, not in a second', async () => {
    const { clock, gate } = setUp(OPEN);
    const run = gate.forRun({ runId: 'one', workspace: 'ws' });
    const permits = [];
    for (let count = 0; count < 4; count += 1) {
      permits.push(await run.acquire());
      await clock.advance(10);
    }
    permits[1]!.release({ kind: 'unsent' });
    permits[2]!.release({ kind: 'unsent' });
    permits[0]!.release(SUCCESS);
    permits[3]!.release(SUCCESS);
    for (const { stats } of [gate.snapshot(), run.snapshot()]) {
      expect(stats).toMatchObject({ requests: 2, worstSecond: 2 });
    }
    await clock.advance(5_000);
    (await permit({ clock, gate: run })).release(SUCCESS);
    expect(gate.snapshot().stats).toMatchObject({ requests: 3, worstSecond: 2 });
  });

  test('a run has a receipt of its own; who was sent away counts as waiting until the hour it was told', async () => {
    const { clock, gate } = setUp(OPEN);
    const [first, second] = ['one', 'two'].map((runId) => gate.forRun({ runId, workspace: 'ws' })) as [Gate, Gate];
    const granted = await first.acquire();
    (await permit({ clock, gate: second })).release(SUCCESS);
    granted.release(limited('600'));
    await expect(first.acquire()).rejects.toMatchObject({ kind: 'rate_limited' });
    await clock.advance(1_000_000);
    (await first.acquire()).release(SUCCESS);
    expect(first.snapshot().stats).toEqual({ requests: 2, rateLimited: 1, secondsWaited: 600, worstSecond: 1 });
    expect(second.snapshot().stats).toMatchObject({ requests: 1, rateLimited: 0 });
    expect(gate.snapshot().stats).toMatchObject({ requests: 3, rateLimited: 1 });
  });
});
