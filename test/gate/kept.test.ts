/** What outlives the process: a store in memory, so that clocks can jump. */
import { describe, expect, test } from 'vitest';
import { createGate } from '../../src/gate/index.ts';
import type { Gate, GateState, GateStore } from '../../src/gate/index.ts';
import { PipelineError } from '../../src/core/errors.ts';
import type { GivenRateConfig } from '../../src/core/rate/config.ts';
import { VirtualClock } from './virtual-clock.ts';

const SUCCESS = { kind: 'success' } as const;
const FAILURE = { kind: 'failure', penalty: false, headers: null } as const;
const OPEN: GivenRateConfig = { initialRate: 1_000, maxRate: 1_000, additiveIncrease: 0 };

function limited(retryAfter: string) {
  return { kind: 'rate_limited', headers: { retryAfter, date: null } } as const;
}

/** A machine whose processes come and go. */
class Machine {
  readonly clock = new VirtualClock();
  saves = 0;
  failing: Error | null = null;
  /** What the wall clock lost or gained beside the clock of the processes. */
  wallOffsetMs = 0;
  #row: { text: string; keptMs: number; wallMs: number } | null = null;

  /** A process: what it has in memory is gone when the next one starts. */
  start(config: GivenRateConfig = OPEN, later?: () => Promise<void>): Gate {
    const store: GateStore = {
      place: '/state/gate/x',
      open: async () =>
        this.#row && {
          state: JSON.parse(this.#row.text) as GateState,
          keptMs: this.#row.keptMs,
          elapsedMs: Math.max(0, this.#wallMs - this.#row.wallMs),
        },
      save: (state, keptMs) => {
        if (this.failing) throw this.failing;
        this.saves += 1;
        this.#row = { text: JSON.stringify(state), keptMs, wallMs: this.#wallMs };
        return later?.();
      },
      close: async () => undefined,
    };
    return createGate({ clock: this.clock, store, config, random: () => 0.5 });
  }

  get kept(): GateState {
    return JSON.parse(this.#row!.text) as GateState;
  }

  get #wallMs(): number {
    return this.clock.now() + this.wallOffsetMs;
  }
}

describe('design §3: what a restart must not forget', () => {
  test('a pause is respected to its end', async () => {
    const machine = new Machine();
    (await machine.start().acquire()).release(limited('60'));
    await machine.clock.advance(20_000);
    let started = 0;
    void machine
      .start()
      .acquire()
      .then(() => (started += 1));
    await machine.clock.advance(39_990);
    expect(started).toBe(0);
    await machine.clock.advance(20);
    expect(started).toBe(1);
  });

  test('the learnt rate goes on, within the new bounds; --initial-rate beats it', async () => {
    const machine = new Machine();
    const first = machine.start({ initialRate: 8 });
    for (let count = 0; count < 6; count += 1) {
      const asked = first.acquire();
      await machine.clock.advance(2_000);
      (await asked).release(SUCCESS);
    }
    await first.close();
    const rates = async (config: GivenRateConfig): Promise<number> => {
      const gate = machine.start(config);
      await gate.open();
      return gate.snapshot().rate;
    };
    expect(await rates({})).toBe(14);
    expect(await rates({ maxRate: 10 })).toBe(10);
    expect(await rates({ maxRate: 10, initialRate: 3 })).toBe(3);
  });

  test('SAFE-4: refused credentials stay refused; closing the incident lets one probe through', async () => {
    const machine = new Machine();
    (await machine.start().acquire()).release({ kind: 'auth_rejected', status: 401 });
    const next = machine.start();
    await expect(next.acquire()).rejects.toMatchObject({ kind: 'auth_rejected' });
    const { id } = next.snapshot().incident!;
    const third = machine.start();
    await third.open();
    expect(await third.closeIncident(id)).toBe(true);
    const fourth = machine.start();
    const asked = [fourth.acquire(), fourth.acquire()];
    await machine.clock.advance(60_000);
    expect(fourth.snapshot()).toMatchObject({ inFlight: 1, waiting: 1 });
    (await asked[0]!).release(FAILURE);
    await expect(asked[1]).rejects.toMatchObject({ kind: 'source_aborted' });
  });

  test('failed passes of two processes add up', async () => {
    const machine = new Machine();
    for (let pass = 1; pass <= 6; pass += 1) {
      const gate = machine.start();
      for (let count = 0; count < 5; count += 1) {
        const asked = gate.acquire();
        await machine.clock.advance(2_000);
        (await asked).release(FAILURE);
      }
      expect(gate.refusal()?.kind).toBe(pass < 6 ? 'source_unavailable' : 'source_aborted');
      await machine.clock.advance(300_000);
    }
  });

  test('after a kill the first permit keeps its distance from those that were not kept', async () => {
    const machine = new Machine();
    const gate = machine.start({ initialRate: 0.5, additiveIncrease: 0 });
    await gate.acquire();
    await machine.clock.advance(100);
    let started = 0;
    void machine
      .start({ initialRate: 0.5, additiveIncrease: 0 })
      .acquire()
      .then(() => (started += 1));
    await machine.clock.advance(1_990);
    expect(started).toBe(0);
    await machine.clock.advance(20);
    expect(started).toBe(1);
  });
});

describe('clocks that jump', () => {
  test('a clock set back by a year makes a pause no longer than it was', async () => {
    const machine = new Machine();
    (await machine.start().acquire()).release(limited('60'));
    machine.wallOffsetMs = -365 * 86_400_000;
    const next = machine.start();
    await next.open();
    expect(next.snapshot().cooldown?.untilMs).toBe(machine.clock.now() + 60_000);
    expect(next.refusal()).toBeNull();
  });

  test('an hour of sleep, which the process did not see, is over for its successor', async () => {
    const machine = new Machine();
    const first = machine.start();
    (await first.acquire()).release(limited('60'));
    machine.wallOffsetMs = 3_600_000;
    const next = machine.start();
    await next.open();
    expect(next.snapshot().cooldown).toBeNull();
  });

  test('a kept pause of more than six hours that nobody was told of is an incident; resumed, one probe leaves', async () => {
    const machine = new Machine();
    const first = machine.start();
    (await first.acquire()).release(limited('30'));
    const far: GateState = {
      ...machine.kept,
      cooldown: { ...machine.kept.cooldown, untilMs: machine.clock.now() + 7 * 3_600_000 },
    };
    const store: GateStore = {
      place: '/state/gate/x',
      open: async () => ({ state: far, keptMs: machine.clock.now(), elapsedMs: 0 }),
      save: () => undefined,
      close: async () => undefined,
    };
    const gate = createGate({ clock: machine.clock, store, config: OPEN });
    await expect(gate.acquire()).rejects.toMatchObject({
      kind: 'source_aborted',
      context: { reason: 'rate_limited_too_long' },
    });
    await gate.closeIncident(gate.snapshot().incident!.id);
    const asked = [gate.acquire(), gate.acquire()];
    await machine.clock.advance(1_000);
    expect(gate.snapshot()).toMatchObject({ inFlight: 1, waiting: 1 });
    (await asked[0]!).release(SUCCESS);
    await expect(asked[1]).resolves.toBeDefined();
  });
});

describe('when it is kept', () => {
  test('permits cost at most one save a second; a pause is kept before the next permit', async () => {
    const machine = new Machine();
    const gate = machine.start();
    await gate.open();
    const before = machine.saves;
    for (let count = 0; count < 300; count += 1) {
      const asked = gate.acquire();
      await machine.clock.advance(10);
      (await asked).release(SUCCESS);
    }
    expect(machine.saves - before).toBeLessThanOrEqual(4);
    const asked = gate.acquire();
    await machine.clock.advance(10);
    const saves = machine.saves;
    (await asked).report429({ retryAfter: '5', date: null });
    expect(machine.saves).toBe(saves + 1);
    expect(machine.kept.cooldown.untilMs).toBe(machine.clock.now() + 5_000);
  });

  test('a store that takes its time: no permit is given before it has finished', async () => {
    const machine = new Machine();
    let finish: () => void = () => undefined;
    const gate = machine.start(OPEN, () => new Promise((resolve) => (finish = resolve)));
    let started = 0;
    void gate.acquire().then(() => (started += 1));
    await machine.clock.advance(60_000);
    expect(started).toBe(0);
    finish();
    await machine.clock.advance(10);
    expect(started).toBe(1);
  });

  test('a state that cannot be kept stops requests until it can', async () => {
    const machine = new Machine();
    const gate = machine.start();
    const given = await gate.acquire();
    machine.failing = new PipelineError('disk_full', 'No room.');
    given.release(limited('1'));
    await machine.clock.advance(5_000);
    await expect(gate.acquire()).rejects.toMatchObject({ kind: 'disk_full' });
    machine.failing = null;
    await expect(gate.acquire()).resolves.toBeDefined();
  });

  test('closing sends waiters away and leaves no timer (SAFE-10)', async () => {
    const machine = new Machine();
    const gate = machine.start({ initialRate: 1 });
    await gate.acquire();
    const waiting = gate.acquire();
    waiting.catch(() => undefined);
    await gate.close();
    await expect(waiting).rejects.toThrow('closed');
    await gate.close();
    expect(machine.clock.pendingTimers).toBe(0);
    await expect(gate.acquire()).rejects.toThrow('closed');
  });

  test('receipts of a run go on in the next process', async () => {
    const machine = new Machine();
    const run = { runId: 'r1', workspace: 'ws' };
    const first = machine.start();
    (await first.forRun(run).acquire()).release(limited('2'));
    await first.close();
    await machine.clock.advance(10_000);
    const next = machine.start();
    (await next.forRun(run).acquire()).release(SUCCESS);
    await next.close();
    expect(machine.kept.receipts).toMatchObject({
      total: { requests: 2, rateLimited: 1, worstSecond: 1 },
      runs: [{ ...run, requests: 2, rateLimited: 1, lastMs: machine.clock.now() }],
    });
  });
});
