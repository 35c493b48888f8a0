import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { FaultPlan, Simulator } from '../../simulator/simulator.ts';
import { DATA_PATH, always, get, getRecords, getText, query, range } from './support.ts';

const SLICE = DATA_PATH + query(range('00:00:00', '00:05:00'));

/** What undici says when a connection dies under a body. */
const LOST = /terminated|other side closed|ECONNRESET|aborted/;

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ cadenceS: 60 });
});
afterEach(async () => simulator.close());

/** Status of one request, `lost` when no answer comes. */
async function statusOf(pathAndQuery: string): Promise<number | 'lost'> {
  try {
    const response = await get(simulator, pathAndQuery);
    await response.body.dump();
    return response.statusCode;
  } catch {
    return 'lost';
  }
}

async function statuses(count: number, pathAndQuery = SLICE): Promise<(number | 'lost')[]> {
  const seen: (number | 'lost')[] = [];
  for (let i = 0; i < count; i++) seen.push(await statusOf(pathAndQuery));
  return seen;
}

function slice(index: number): string {
  const start = Date.parse('2025-09-01T00:00:00Z') + index * 300_000;
  return DATA_PATH + query(`${new Date(start).toISOString()}..${new Date(start + 300_000).toISOString()}`);
}

describe('faults of status', () => {
  test.for([400, 401, 403, 404, 408, 425, 500, 502, 503, 504] as const)('%i with an error object', async (status) => {
    simulator.setFaults(always({ kind: 'status', status }));
    const response = await get(simulator, SLICE);
    expect(response.statusCode).toBe(status);
    expect(await response.body.json()).toHaveProperty('error');
    expect(response.headers['retry-after']).toBeUndefined();
  });

  test('503 may carry Retry-After', async () => {
    simulator.setFaults(always({ kind: 'status', status: 503, retryAfterS: 3 }));
    expect((await get(simulator, SLICE)).headers['retry-after']).toBe('3');
  });

  test('SAFE-2: 429 with Retry-After in seconds, as a date, or without', async () => {
    simulator.setFaults(always({ kind: 'rate_limit', retryAfterS: 1.2 }));
    const inSeconds = await get(simulator, SLICE);
    expect(inSeconds.statusCode).toBe(429);
    expect(inSeconds.headers['retry-after']).toBe('2');

    simulator.setFaults(always({ kind: 'rate_limit', retryAfterS: 30, form: 'date' }));
    const header = String((await get(simulator, SLICE)).headers['retry-after']);
    const untilMs = Date.parse(header) - Date.now();
    expect(header).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(untilMs).toBeGreaterThan(20_000);
    expect(untilMs).toBeLessThanOrEqual(31_000);

    simulator.setFaults(always({ kind: 'rate_limit', form: 'none' }));
    const silent = await get(simulator, SLICE);
    expect(silent.statusCode).toBe(429);
    expect(silent.headers['retry-after']).toBeUndefined();
  });

  test('a storm answers 429 everywhere until it is over, then all is well', async () => {
    simulator.setFaults({ rules: [{ match: { nth: 2 }, fault: { kind: 'storm', seconds: 2 } }] });
    expect(await statuses(3)).toEqual([200, 429, 429]);
    expect(await statusOf(`${DATA_PATH}/count${query(range('00:00:00', '00:05:00'))}`)).toBe(429);
    expect(await statusOf(`${DATA_PATH}/queryhelp`)).toBe(429);
    await expect.poll(() => statusOf(SLICE)).toBe(200);
    expect(await statuses(3)).toEqual([200, 200, 200]);
  });

  test('a redirect leads to a login page, and following it is counted', async () => {
    simulator.setFaults(always({ kind: 'redirect' }));
    const response = await get(simulator, SLICE);
    expect(response.statusCode).toBe(302);
    const page = await get(simulator, String(response.headers['location']));
    expect(page.headers['content-type']).toBe('text/html');
    expect(simulator.stats().byEndpoint).toEqual({ data: 1, other: 1 });
  });
});

describe('faults of content, with status 200', () => {
  test.for<{ fault: FaultPlan['rules'][number]['fault']; type: string; body: RegExp }>([
    { fault: { kind: 'html' }, type: 'text/html', body: /^<!DOCTYPE html>/ },
    { fault: { kind: 'html', contentType: 'application/json' }, type: 'application/json', body: /^<!DOCTYPE html>/ },
    { fault: { kind: 'error_object' }, type: 'application/json', body: /^\{"error":/ },
    { fault: { kind: 'null' }, type: 'application/json', body: /^null$/ },
    { fault: { kind: 'empty_object' }, type: 'application/json', body: /^\{\}$/ },
    { fault: { kind: 'empty_body' }, type: 'application/json', body: /^$/ },
  ])('$fault', async ({ fault, type, body }) => {
    simulator.setFaults(always(fault));
    const response = await get(simulator, SLICE);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe(type);
    expect(await response.body.text()).toMatch(body);
    expect(simulator.stats()).toMatchObject({ slicesAnswered: 0, faultsFired: [1] });
  });

  test.for([SLICE, DATA_PATH + query('1970-01-01T00:00:01Z..1970-01-01T00:00:02Z')])(
    'cut JSON arrives whole by transport and is no JSON: %s',
    async (asked) => {
      const whole = await getText(simulator, asked);
      simulator.setFaults(always({ kind: 'cut_json' }));
      const response = await get(simulator, asked);
      const cut = await response.body.text();
      expect(cut.length).toBe(Number(response.headers['content-length']));
      expect(whole.startsWith(cut)).toBe(true);
      expect(() => JSON.parse(cut) as unknown).toThrow(SyntaxError);
    },
  );

  test('broken gzip says gzip and does not decompress', async () => {
    simulator.setFaults(always({ kind: 'broken_gzip' }));
    const response = await get(simulator, SLICE);
    const body = Buffer.from(await response.body.arrayBuffer());
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(body.subarray(0, 2).toString('hex')).toBe('1f8b');
    expect(() => gunzipSync(body)).toThrow(/invalid|incorrect|unexpected/);
  });

  test('UDL-D2: other keys are the same records by name', async () => {
    const records = await getRecords(simulator, SLICE);
    simulator.setFaults(always({ kind: 'other_keys' }));
    const others = await getRecords(simulator, SLICE);
    expect(others.map((record) => record.id)).toEqual(records.map((record) => record.id));
    expect(Object.keys(others[1]!)[0]).toBe('msgType');
    expect(others[0]).not.toHaveProperty('origNetwork');
    expect(others[2]).toMatchObject(records[2]!);
    await expect.poll(() => simulator.stats().slicesAnswered).toBe(1);
  });

  test('faults of content leave a refusal as it is', async () => {
    for (const kind of ['cut_json', 'broken_gzip', 'other_keys'] as const) {
      simulator.setFaults(always({ kind }));
      const response = await get(simulator, SLICE, {});
      expect(response.statusCode).toBe(401);
      expect(await response.body.json()).toHaveProperty('error');
    }
  });
});

describe('faults of delivery', () => {
  test.for(['length', 'chunked'] as const)('a short body ends early (%s)', async (framing) => {
    simulator.setFaults(always({ kind: 'short_body', framing }));
    const response = await get(simulator, SLICE);
    expect(response.statusCode).toBe(200);
    expect(response.headers[framing === 'length' ? 'content-length' : 'transfer-encoding']).toBeDefined();
    await expect(response.body.text()).rejects.toThrow(LOST);
  });

  test('a reset before the headers loses the request', async () => {
    simulator.setFaults(always({ kind: 'reset' }));
    await expect(get(simulator, SLICE)).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/),
    });
    await expect.poll(() => simulator.stats().byStatus).toEqual({ none: 1 });
  });

  test.for(['after_headers', 'mid_body'] as const)('a reset %s loses the body', async (at) => {
    simulator.setFaults(always({ kind: 'reset', at }));
    const response = await get(simulator, SLICE);
    expect(response.statusCode).toBe(200);
    await expect(response.body.text()).rejects.toThrow(LOST);
    await expect.poll(() => simulator.stats()).toMatchObject({ byStatus: { 200: 1 }, slicesAnswered: 0 });
  });

  test.for(['before_headers', 'after_headers', 'mid_body'] as const)('a hang %s says no more', async (at) => {
    simulator.setFaults(always({ kind: 'hang', at }));
    const controller = new AbortController();
    const answer = fetch(`${simulator.url}${SLICE}`, { headers: { authorization: 'x' }, signal: controller.signal });
    const body = at === 'before_headers' ? answer : answer.then(async (response) => response.text());
    let settled = false;
    const watched = body.then(
      () => (settled = true),
      (error: unknown) => error,
    );
    await expect.poll(() => simulator.stats().inFlight).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(settled).toBe(false);
    expect(simulator.stats()).toMatchObject({ requests: 1, inFlight: 1 });
    controller.abort();
    expect(await watched).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => simulator.stats().inFlight).toBe(0);
    expect(simulator.requests()[0]).toMatchObject({ completed: false, fault: 'hang' });
  });

  test('a drip gives the right bytes in many small pieces', async () => {
    const asked = DATA_PATH + query(range('00:00:00', '00:00:00'));
    const whole = await getText(simulator, asked);
    simulator.setFaults(always({ kind: 'drip', bytesPerS: whole.length * 2 }));
    const response = await get(simulator, asked);
    let pieces = 0;
    let text = '';
    for await (const piece of response.body as AsyncIterable<Buffer>) {
      pieces++;
      text += piece.toString();
    }
    expect(text).toBe(whole);
    expect(pieces).toBeGreaterThan(2);
    await expect.poll(() => simulator.stats().slicesRepeated).toBe(1);
  });

  test('latency delays the answer, adds up, and lets further rules apply', async () => {
    simulator.setFaults({
      rules: [
        { fault: { kind: 'latency', ms: 60 } },
        { fault: { kind: 'latency', ms: 60 } },
        { fault: { kind: 'status', status: 500 } },
      ],
    });
    expect(await statuses(1)).toEqual([500]);
    await expect.poll(() => simulator.requests()[0]?.durationMs).toBeGreaterThanOrEqual(119);
    expect(simulator.stats().faultsFired).toEqual([1, 1, 1]);
  });

  test('connection refused is a closed simulator; the same port comes back', async () => {
    const { port, url } = simulator;
    await simulator.close();
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    simulator = await startSimulator({ port });
    expect(simulator.url).toBe(url);
    expect(await statusOf(SLICE)).toBe(200);
  });

  test('closing cuts a hanging request', async () => {
    simulator.setFaults(always({ kind: 'hang' }));
    const lost = statusOf(SLICE);
    await expect.poll(() => simulator.stats().inFlight).toBe(1);
    await simulator.close();
    expect(await lost).toBe('lost');
    simulator = await startSimulator();
  });
});

describe('which requests a rule meets', () => {
  const fault = { kind: 'status', status: 503 } as const;

  test('nth counts the requests to the endpoint since the plan was set', async () => {
    await statuses(2);
    simulator.setFaults({ rules: [{ match: { nth: [1, 3] }, fault }] });
    await statusOf(`${DATA_PATH}/queryhelp`);
    expect(await statuses(4)).toEqual([503, 200, 503, 200]);
  });

  test('SAFE-9: firstAttempts fails each slice so often, then it is good', async () => {
    simulator.setFaults({ rules: [{ match: { firstAttempts: 2 }, fault }] });
    expect(await statuses(4, slice(3))).toEqual([503, 503, 200, 200]);
    expect(await statuses(3, slice(4))).toEqual([503, 503, 200]);
  });

  test('times bounds a rule over all slices', async () => {
    simulator.setFaults({ rules: [{ fault, times: 2 }] });
    expect([await statusOf(slice(0)), await statusOf(slice(1)), await statusOf(slice(2))]).toEqual([503, 503, 200]);
    expect(simulator.stats().faultsFired).toEqual([2]);
  });

  test('slice picks by index, from the start or the end, also with +1 s starts (UDL-14) and halves', async () => {
    simulator.setFaults({ rules: [{ match: { slice: [0, 17, -1] }, fault }] });
    expect(await statusOf(slice(0))).toBe(503);
    expect(await statusOf(slice(1))).toBe(200);
    expect(await statusOf(slice(17))).toBe(503);
    expect(await statusOf(slice(287))).toBe(503);
    expect(await statusOf(DATA_PATH + query(range('01:25:01', '01:30:00')))).toBe(503);
    expect(await statusOf(DATA_PATH + query(range('01:27:30', '01:30:00')))).toBe(503);
    expect(await statusOf(DATA_PATH + query(range('18:00:01', '23:59:59'), { idSensor: 'REACH-101' }))).toBe(503);
    expect(await statusOf(DATA_PATH + query(range('12:00:01', '18:00:00'), { idSensor: 'REACH-101' }))).toBe(200);
  });

  test('day, idSensor and endpoint', async () => {
    simulator.setFaults({
      rules: [
        { match: { day: '2025-09-02' }, fault },
        { match: { idSensor: 'REACH-105' }, fault },
        { match: { endpoint: 'count' }, fault: { kind: 'status', status: 404 } },
      ],
    });
    expect(await statusOf(SLICE)).toBe(200);
    expect(await statusOf(DATA_PATH + query('2025-09-02T00:00:00Z..2025-09-02T00:05:00Z'))).toBe(503);
    expect(await statusOf(DATA_PATH + query(range('00:00:00', '00:05:00'), { idSensor: 'REACH-105' }))).toBe(503);
    expect(await statusOf(`${DATA_PATH}/count${query(range('00:00:00', '00:05:00'))}`)).toBe(404);
  });

  test('fraction draws by slice and attempt: the same slices in any order, about the share asked for', async () => {
    const indexes = Array.from({ length: 288 }, (_, index) => index);
    const failing = async (order: readonly number[], seed: number): Promise<number[]> => {
      simulator.setFaults({ seed, rules: [{ match: { fraction: 0.1, firstAttempts: 1 }, fault }] });
      const failed: number[] = [];
      for (const index of order) if ((await statusOf(slice(index))) === 503) failed.push(index);
      return failed.toSorted((a, b) => a - b);
    };
    const forward = await failing(indexes, 1);
    expect(await failing(indexes.toReversed(), 1)).toEqual(forward);
    expect(await failing(indexes, 2)).not.toEqual(forward);
    expect(forward.length).toBeGreaterThan(12);
    expect(forward.length).toBeLessThan(50);
  });

  test('the first rule that fits decides', async () => {
    simulator.setFaults({
      rules: [
        { match: { nth: 1 }, fault: { kind: 'status', status: 502 } },
        { fault: { kind: 'status', status: 500 } },
      ],
    });
    expect(await statuses(2)).toEqual([502, 500]);
  });

  test('a new plan replaces the old one with its counts; reset takes faults away', async () => {
    simulator.setFaults({ rules: [{ fault, times: 1 }] });
    expect(await statuses(2)).toEqual([503, 200]);
    simulator.setFaults({ rules: [{ fault, times: 1 }] });
    expect(await statuses(2)).toEqual([503, 200]);
    simulator.setFaults(always({ kind: 'storm', seconds: 100 }));
    expect(await statuses(1)).toEqual([429]);
    simulator.reset();
    expect(await statuses(1)).toEqual([200]);
    expect(simulator.stats()).toMatchObject({ requests: 1, faultsFired: [] });
  });

  test.for([
    { plan: {}, names: 'rules' },
    { plan: { rules: [{ fault: { kind: 'surprise' } }] }, names: 'rules[0].fault.kind' },
    { plan: { rules: [{ fault: { kind: 'status', status: 418 } }] }, names: 'rules[0].fault.status' },
    { plan: { rules: [{ match: { slices: 1 }, fault: { kind: 'null' } }] }, names: 'slices' },
    { plan: { rules: [{ match: { day: 'today' }, fault: { kind: 'null' } }] }, names: 'YYYY-MM-DD' },
    { plan: { rules: [{ fault: { kind: 'null' }, times: 0 }] }, names: 'rules[0].times' },
  ])('an unusable plan is refused by place: $names', ({ plan, names }) => {
    expect(() => simulator.setFaults(plan as FaultPlan)).toThrow(
      expect.objectContaining({ kind: 'config_invalid', message: expect.stringContaining(names) }),
    );
  });
});
