import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { Simulator } from '../../simulator/simulator.ts';
import { DATA_PATH, TOKEN, get, getRecords, getText, query, range } from './support.ts';

const DAY = '2025-09-01';
const SMOOTH = { gaps: 0, blanks: 0, duplicates: 0 };

describe('the data endpoint', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startSimulator({ irregularities: SMOOTH });
  });
  afterAll(async () => simulator.close());

  test('UDL-2: answers the exact query of the specification with a JSON array sorted by obTime', async () => {
    const response = await get(
      simulator,
      `${DATA_PATH}?obTime=2026-01-01T00:00:00.000Z..2026-01-01T00:05:00.000Z&source=Aerospace&dataMode=REAL&descriptor=QUICKLOOK&sort=obTime`,
    );
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('application/json');
    expect(response.headers['content-encoding']).toBeUndefined();
    expect(await response.body.json()).toHaveLength(61 * 64);
  });

  test('percent-encoded values give the same bytes as plain ones', async () => {
    const plain = query(range('00:00:00.000', '00:01:00.000'));
    const encoded = plain.replaceAll(':', '%3A').replace('..', '%2E%2E');
    expect(encoded).not.toBe(plain);
    expect(await getText(simulator, DATA_PATH + encoded)).toBe(await getText(simulator, DATA_PATH + plain));
  });

  test.for([
    { start: '00:00:00.000', end: '00:00:10.000', instants: 3 },
    { start: '00:00:00.001', end: '00:00:10.000', instants: 2 },
    { start: '00:00:00', end: '00:00:09.999', instants: 2 },
    { start: '00:00:05.000001', end: '00:00:10', instants: 1 },
    { start: '00:00:05', end: '00:00:09.999999', instants: 1 },
    { start: '00:00:01.000', end: '00:05:00.000', instants: 60 },
    { start: '00:00:05.000', end: '00:00:05.000', instants: 1 },
    { start: '00:00:01.000', end: '00:00:04.000', instants: 0 },
  ])('the end is included: $start..$end selects $instants instants', async ({ start, end, instants }) => {
    expect(await getRecords(simulator, DATA_PATH + query(range(start, end)))).toHaveLength(instants * 64);
  });

  test('one instant selects its records', async () => {
    const list = await getRecords(simulator, DATA_PATH + query(`${DAY}T00:00:05.000Z`));
    expect(new Set(list.map((record) => record.obTime))).toEqual(new Set([`${DAY}T00:00:05.000Z`]));
  });

  test('UDL-13: a six-hour slice of one sensor holds its two dosimeters only, below the cap', async () => {
    const list = await getRecords(
      simulator,
      DATA_PATH + query(range('00:00:00', '06:00:00'), { idSensor: 'REACH-105' }),
    );
    expect(list).toHaveLength(2 * 4_321);
    expect(new Set(list.map((record) => record.idSensor))).toEqual(new Set(['REACH-105']));
    expect(new Set(list.map((record) => record.seoList[0].obDescription)).size).toBe(2);
  });

  test.for([
    { extra: { descriptor: 'PROVISIONAL' }, records: 64 },
    { extra: { descriptor: undefined }, records: 128 },
    { extra: { idSensor: 'REACH-101' }, records: 2 },
    { extra: { idSensor: '' }, records: 64 },
    { extra: { idSensor: 'REACH-ALL' }, records: 0 },
    { extra: { source: 'Nobody' }, records: 0 },
    { extra: { dataMode: 'TEST' }, records: 0 },
  ])('filters apply: $extra leaves $records records', async ({ extra, records }) => {
    const asked = query(range('00:00:05', '00:00:05'), extra);
    expect(await getRecords(simulator, DATA_PATH + asked)).toHaveLength(records);
    expect(await getText(simulator, `${DATA_PATH}/count${asked}`)).toBe(String(records));
  });

  test('firstResult and maxResults page through the same list', async () => {
    const whole = await getRecords(simulator, DATA_PATH + query(range('00:00:00', '00:00:10')));
    const pages = await Promise.all(
      [0, 50, 100, 150, 200].map(async (firstResult) =>
        getRecords(
          simulator,
          DATA_PATH + query(range('00:00:00', '00:00:10'), { firstResult: String(firstResult), maxResults: '50' }),
        ),
      ),
    );
    expect(pages.map((page) => page.length)).toEqual([50, 50, 50, 42, 0]);
    expect(pages.flat()).toEqual(whole);
  });

  test('an answer is cut at 10,000 records without a word; the count tells the truth', async () => {
    const asked = query(range('00:00:00', '01:00:00'));
    const list = await getRecords(simulator, DATA_PATH + asked);
    expect(list).toHaveLength(10_000);
    expect(list[0]!.obTime).toBe(`${DAY}T00:00:00.000Z`);
    expect(await getText(simulator, `${DATA_PATH}/count${asked}`)).toBe(String(721 * 64));
    const more = query(range('00:00:00', '01:00:00'), { maxResults: '20000' });
    expect(await getRecords(simulator, DATA_PATH + more)).toHaveLength(10_000);
    const next = query(range('00:00:00', '01:00:00'), { firstResult: '10000', maxResults: '1' });
    expect((await getRecords(simulator, DATA_PATH + next))[0]!.obTime).toBe(`${DAY}T00:13:00.000Z`);
  });

  test('UDL §9: count is text/plain', async () => {
    const response = await get(simulator, `${DATA_PATH}/count${query(range('00:00:00', '00:05:00'))}`);
    expect(response.headers['content-type']).toBe('text/plain');
    expect(await response.body.text()).toBe('3904');
  });

  test('UDL §9: queryhelp names the parameters and abilities', async () => {
    const help = JSON.parse(await getText(simulator, `${DATA_PATH}/queryhelp`)) as Record<string, unknown>;
    expect(help).toMatchObject({ sortSupported: true, historySupported: false, aodrSupported: false });
    expect((help['parameters'] as { name: string }[]).map((parameter) => parameter.name)).toContain('obTime');
  });

  test.for([
    { asked: '', says: 'obTime is required' },
    { asked: query('yesterday'), says: 'obTime=yesterday is not a range' },
    { asked: query(range('01:00:00', '00:00:00')), says: 'is not a range' },
    { asked: query('2025-02-30T00:00:00Z..2025-03-01T00:00:00Z'), says: 'is not a range' },
    { asked: query(`${range('00:00:00', '00:00:01')}..x`), says: 'is not a range' },
    { asked: query(range('00:00:00', '00:00:01'), { sort: 'lat' }), says: 'sort=lat is not supported' },
    { asked: query(range('00:00:00', '00:00:01'), { maxResults: '-1' }), says: 'maxResults=-1' },
    { asked: query(range('00:00:00', '00:00:01'), { sensor: 'REACH-101' }), says: 'Unknown parameter "sensor"' },
    { asked: `${query(range('00:00:00', '00:00:01'))}&sort=obTime`, says: 'sort is given twice' },
    { asked: query('%E0%A4%A'), says: 'not valid percent-encoding' },
  ])('a query it cannot read gets 400 with the reason: $says', async ({ asked, says }) => {
    const response = await get(simulator, DATA_PATH + asked);
    expect(response.statusCode).toBe(400);
    expect(await response.body.json()).toMatchObject({ error: expect.stringContaining(says) });
  });

  test('other paths get 404', async () => {
    expect((await get(simulator, '/udl/elset')).statusCode).toBe(404);
  });
});

describe('switches', () => {
  const open: Simulator[] = [];
  const start: typeof startSimulator = async (options) => {
    const simulator = await startSimulator(options);
    open.push(simulator);
    return simulator;
  };
  afterAll(async () => Promise.all(open.map(async (simulator) => simulator.close())));

  test('rangeEnd exclude leaves the end out, but not a lone instant', async () => {
    const simulator = await start({ irregularities: SMOOTH, rangeEnd: 'exclude' });
    expect(await getRecords(simulator, DATA_PATH + query(range('00:00:00', '00:05:00')))).toHaveLength(60 * 64);
    expect(await getRecords(simulator, DATA_PATH + query(range('00:00:00', '00:05:00.001')))).toHaveLength(61 * 64);
    expect(await getRecords(simulator, DATA_PATH + query(range('00:05:00', '00:05:00')))).toHaveLength(64);
  });

  test('UDL-5: a token is required, any by default, the given one else', async () => {
    const any = await start({ tiny: true });
    const one = await start({ tiny: true, token: TOKEN });
    const asked = DATA_PATH + query(range('00:00:00', '00:05:00'));
    const status = async (simulator: Simulator, headers: Record<string, string>): Promise<number> =>
      (await get(simulator, asked, headers)).statusCode;
    expect(await status(any, {})).toBe(401);
    expect(await status(any, { authorization: 'Basic other' })).toBe(200);
    expect(await status(one, {})).toBe(401);
    expect(await status(one, { authorization: 'Basic other' })).toBe(401);
    expect(await status(one, { authorization: TOKEN })).toBe(200);
    expect(JSON.stringify(one.requests())).not.toContain(TOKEN.slice(6));
  });

  test('UDL §9: without count, /count answers 404', async () => {
    const simulator = await start({ tiny: true, count: false });
    expect((await get(simulator, `${DATA_PATH}/count${query(range('00:00:00', '00:05:00'))}`)).statusCode).toBe(404);
  });

  test('the cap can be another, or none', async () => {
    const asked = DATA_PATH + query(range('00:00:00', '00:15:00'));
    const small = await start({ irregularities: SMOOTH, cap: 1_000 });
    const none = await start({ irregularities: SMOOTH, cap: 'none' });
    expect(await getRecords(small, asked)).toHaveLength(1_000);
    expect(await getRecords(none, asked)).toHaveLength(181 * 64);
    const huge = await get(none, DATA_PATH + query('2025-09-01T00:00:00Z..2025-09-03T00:00:00Z'));
    expect(huge.statusCode).toBe(400);
  });

  test('gzip only with the option and only for clients that accept it, with the same content', async () => {
    const zipping = await start({ tiny: true, gzip: true });
    const plainOnly = await start({ tiny: true });
    const asked = DATA_PATH + query(range('00:00:00', '06:00:00'));
    const accepting = { authorization: TOKEN, 'accept-encoding': 'gzip, deflate' };
    const zipped = await get(zipping, asked, accepting);
    expect(zipped.headers['content-encoding']).toBe('gzip');
    const content = gunzipSync(Buffer.from(await zipped.body.arrayBuffer())).toString();
    expect(content).toBe(await getText(zipping, asked));
    expect((await get(plainOnly, asked, accepting)).headers['content-encoding']).toBeUndefined();
    expect(content).toBe(await getText(plainOnly, asked));
  });

  test('the body cache changes no byte, also after late data', async () => {
    const cached = await start({ tiny: true });
    const uncached = await start({ tiny: true, cacheBytes: 0 });
    const asked = DATA_PATH + query(`${DAY}T00:00:00Z..2025-09-02T00:00:00Z`);
    const first = await getText(cached, asked);
    expect(await getText(cached, asked)).toBe(first);
    expect(await getText(uncached, asked)).toBe(first);
    expect(cached.deliverLate(DAY)).toBeGreaterThan(0);
    uncached.deliverLate(DAY);
    const later = await getText(cached, asked);
    expect(later.length).toBeGreaterThan(first.length);
    expect(await getText(uncached, asked)).toBe(later);
  });

  test('the rate limit answers 429 with Retry-After beyond its burst', async () => {
    const simulator = await start({ tiny: true, rateLimit: { perSecond: 0.01, burst: 3, retryAfterS: 7 } });
    const asked = DATA_PATH + query(range('00:00:00', '00:05:00'));
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      const response = await get(simulator, asked);
      seen.push([response.statusCode, response.headers['retry-after']]);
      await response.body.dump();
    }
    const good = [200, undefined];
    expect(seen).toEqual([good, good, good, [429, '7'], [429, '7']]);
    simulator.reset();
    expect((await get(simulator, asked)).statusCode).toBe(200);
  });

  test.for([
    { options: { port: 70_000 }, message: 'port is 70000' },
    { options: { cap: 0 }, message: 'cap is 0' },
    { options: { token: '' }, message: 'token is ""' },
    { options: { cacheBytes: -1 }, message: 'cacheBytes is -1' },
    { options: { rateLimit: { perSecond: 0 } }, message: 'rateLimit.perSecond is 0' },
    { options: { faults: { rules: [{ fault: { kind: 'drip', bytesPerS: 0 } as const }] } }, message: 'rules[0]' },
  ])('unusable options are refused: $message', async ({ options, message }) => {
    await expect(startSimulator(options)).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(message),
    });
  });
});
