import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { Simulator } from '../../simulator/simulator.ts';
import { TrafficMeter } from '../../simulator/traffic/meter.ts';
import type { RequestRecord } from '../../simulator/traffic/meter.ts';
import { DATA_PATH, get, getText, query, range } from './support.ts';

const REQUEST = {
  endpoint: 'data',
  target: '/',
  range: undefined,
  idSensor: undefined,
  descriptor: undefined,
} as const;

function done(meter: TrafficMeter, record: RequestRecord, sliceText: string, completed = true): void {
  meter.end(record, record.atMs, { status: 200, completed, bodyBytes: 10, sliceText });
}

describe('peak within one second (SAFE-1)', () => {
  test('is exact for any arrivals', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), (gaps) => {
        const meter = new TrafficMeter(0, 10);
        let now = 0;
        const times = gaps.map((gap) => (now += gap));
        for (const time of times) meter.begin(time, REQUEST);
        const peaks = times.map((from) => times.filter((time) => time >= from && time < from + 1_000).length);
        expect(meter.stats().peakPerSecond).toBe(Math.max(0, ...peaks));
      }),
    );
  });

  test('stays exact over many seconds', () => {
    const meter = new TrafficMeter(0, 10);
    for (let i = 0; i < 20_000; i++) meter.begin(i * 40, REQUEST);
    expect(meter.stats().peakPerSecond).toBe(25);
  });
});

describe('requests begun inside an announced cooldown (SAFE-2)', () => {
  test('count after the grace and before the end, both exactly', () => {
    const meter = new TrafficMeter(250, 10);
    meter.announceCooldown(1_000, 2_000);
    for (const now of [1_000, 1_250, 1_250.1, 2_999.9, 3_000]) meter.begin(now, REQUEST);
    expect(meter.stats()).toMatchObject({ begunInCooldown: 2, latestInCooldownMs: 1_999.9 });
    expect(meter.log().map((record) => record.inCooldown)).toEqual([false, false, true, true, false]);
  });

  test('a second 429 prolongs the cooldown without another grace; after its end one begins anew', () => {
    const meter = new TrafficMeter(250, 10);
    meter.announceCooldown(0, 1_000);
    meter.announceCooldown(900, 1_000);
    meter.begin(950, REQUEST);
    meter.begin(1_800, REQUEST);
    expect(meter.stats().begunInCooldown).toBe(2);
    meter.announceCooldown(5_000, 1_000);
    meter.begin(5_200, REQUEST);
    expect(meter.stats().begunInCooldown).toBe(2);
  });

  test('a shorter Retry-After does not shorten what was announced', () => {
    const meter = new TrafficMeter(0, 10);
    meter.announceCooldown(0, 10_000);
    meter.announceCooldown(10, 100);
    meter.begin(9_000, REQUEST);
    expect(meter.stats().begunInCooldown).toBe(1);
  });
});

describe('slices', () => {
  test('count once when answered completely, and as repeated from the second complete answer', () => {
    const meter = new TrafficMeter(0, 10);
    for (const [slice, completed] of [
      ['a', false],
      ['a', true],
      ['b', true],
      ['b', true],
      ['b', true],
      ['c', false],
    ] as const) {
      done(meter, meter.begin(0, REQUEST), slice, completed);
    }
    expect(meter.stats()).toMatchObject({ slicesAnswered: 2, slicesRepeated: 1, repeatedAnswers: 2, bodyBytes: 60 });
  });

  test('are told apart by exact text', () => {
    const meter = new TrafficMeter(0, 10);
    for (let i = 0; i < 50_000; i++) done(meter, meter.begin(i, REQUEST), `2025-09-01T00:00:00.${i}Z..x|REACH`);
    expect(meter.stats()).toMatchObject({ slicesAnswered: 50_000, slicesRepeated: 0 });
  });
});

test('the log keeps the latest requests, oldest first, and its targets short', () => {
  const meter = new TrafficMeter(0, 3);
  for (let i = 0; i < 500; i++) meter.begin(i, { ...REQUEST, target: 'x'.repeat(2_000) });
  expect(meter.log().map((record) => record.number)).toEqual([498, 499, 500]);
  expect(meter.log()[0]!.target).toHaveLength(500);
});

describe('over HTTP', () => {
  const slice = DATA_PATH + query(range('00:00:00', '00:05:00'));
  let simulator: Simulator;
  beforeEach(async () => {
    simulator = await startSimulator({ tiny: true, cooldownGraceMs: 0 });
  });
  afterEach(async () => simulator.close());

  async function settled(): Promise<void> {
    await expect.poll(() => simulator.stats().inFlight).toBe(0);
  }

  test('counts requests by endpoint and status, bytes, and repeated slices by exact range and filters', async () => {
    const body = await getText(simulator, slice);
    await getText(simulator, slice);
    await getText(simulator, DATA_PATH + query(range('00:00:01', '00:05:00')));
    await getText(simulator, DATA_PATH + query(range('00:00:00', '00:05:00'), { idSensor: 'REACH-101' }));
    const count = await getText(simulator, `${DATA_PATH}/count${query(range('00:00:00', '00:05:00'))}`);
    await (await get(simulator, slice, {})).body.dump();
    await settled();
    const stats = simulator.stats();
    expect(stats).toMatchObject({
      requests: 6,
      byEndpoint: { data: 5, count: 1 },
      byStatus: { 200: 5, 401: 1 },
      slicesAnswered: 3,
      slicesRepeated: 1,
      repeatedAnswers: 1,
      begunInCooldown: 0,
    });
    expect(stats.bodyBytes).toBeGreaterThan(2 * body.length + count.length);
  });

  test('encoding a range does not make it another slice', async () => {
    await getText(simulator, slice);
    await getText(simulator, slice.replaceAll(':', '%3A'));
    await settled();
    expect(simulator.stats()).toMatchObject({ slicesAnswered: 1, slicesRepeated: 1 });
  });

  test('a request after 429 with Retry-After is held against the client, one without Retry-After is not', async () => {
    simulator.setFaults({ rules: [{ fault: { kind: 'rate_limit', form: 'none' }, times: 1 }] });
    await getText(simulator, slice);
    await getText(simulator, slice);
    expect(simulator.stats().begunInCooldown).toBe(0);
    simulator.setFaults({ rules: [{ fault: { kind: 'rate_limit', retryAfterS: 30, form: 'date' }, times: 1 }] });
    await getText(simulator, slice);
    await getText(simulator, slice);
    await getText(simulator, `${DATA_PATH}/queryhelp`);
    expect(simulator.stats().begunInCooldown).toBe(2);
  });

  test('sees how many requests are under way at once', async () => {
    simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 1_000 } }] });
    await Promise.all([1, 2, 3, 4, 5].map(async () => getText(simulator, slice)));
    expect(simulator.stats()).toMatchObject({ concurrentPeak: 5 });
  });

  test('the log tells range, filters, status, fault and completion', async () => {
    simulator.setFaults({ rules: [{ fault: { kind: 'status', status: 503 }, times: 1 }] });
    await getText(simulator, slice);
    await getText(simulator, slice);
    await settled();
    const [first, second] = simulator.requests();
    expect(first).toMatchObject({ number: 1, status: 503, fault: 'status', completed: false });
    expect(second).toMatchObject({
      number: 2,
      endpoint: 'data',
      range: range('00:00:00', '00:05:00'),
      descriptor: 'QUICKLOOK',
      status: 200,
      completed: true,
    });
    expect(second!.atMs).toBeGreaterThan(first!.atMs);
  });

  test('a reset while requests are under way starts clean and stays clean', async () => {
    simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 1_000 } }] });
    const under = getText(simulator, slice);
    await expect.poll(() => simulator.stats().inFlight, { interval: 10 }).toBe(1);
    simulator.reset();
    await under;
    expect(simulator.stats()).toMatchObject({ requests: 0, inFlight: 0, slicesAnswered: 0 });
  });
});
