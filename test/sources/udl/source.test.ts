import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import { HeldBack, createUdlSource } from '../../../src/sources/udl/index.ts';
import type { AnswerHeader, SliceAnswer, SliceFailure, SliceQuery, UdlSource } from '../../../src/sources/udl/index.ts';
import { send, sendCut, sendJson, startScriptedServer } from './scripted-server.ts';
import type { Script, ScriptedServer } from './scripted-server.ts';

const TOKEN = 'Basic c2VjcmV0OnBhc3N3b3Jk';
const START = Date.parse('2026-01-01T00:00:00Z');
const QUERY: SliceQuery = {
  product: { sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' },
  slice: { startMs: START, endMs: START + 300_000, queryStartMs: START, queryEndMs: START + 300_000 },
};
const RECORD = { id: 'a', idSensor: 'REACH-101', obTime: '2026-01-01T00:00:05.000Z' };

let server: ScriptedServer;
let source: UdlSource;

function sourceAt(
  baseUrl: string,
  timeouts: { requestTimeoutMs?: number; exchangeTimeoutMs?: number } = {},
): UdlSource {
  return createUdlSource({ baseUrl, token: new Secret(TOKEN), threads: 1, maxBodyBytes: 100_000, ...timeouts });
}

beforeAll(async () => {
  server = await startScriptedServer(() => undefined);
  source = sourceAt(`${server.url}/`);
});

beforeEach(() => {
  server.seen.length = 0;
  server.script = (response) => sendJson(response, [RECORD]);
});

afterAll(async () => {
  await source.close();
  await server.close();
});

async function ask(script?: Script): Promise<SliceAnswer> {
  if (script) server.script = script;
  return source.fetchSlice(QUERY);
}

test('UDL-1, UDL-5: one GET with the token verbatim in Authorization, nothing of it elsewhere', async () => {
  const answer = await ask();
  expect(answer).toMatchObject({ kind: 'data', httpStatus: 200, columns: ['id', 'idSensor', 'obTime'], outside: 0 });
  const [request] = server.seen;
  expect(server.seen).toHaveLength(1);
  expect(request?.url).toMatch(
    /^\/udl\/spaceenvobservation\?obTime=2026-01-01T00:00:00.000Z\.\.2026-01-01T00:05:00.000Z&/,
  );
  expect(request?.headers.authorization).toBe(TOKEN);
  expect(Object.keys(request?.headers ?? {}).toSorted()).toEqual(['authorization', 'connection', 'host']);
});

test('a path in front of /udl is kept', async () => {
  const behind = sourceAt(`${server.url}/mirror/`);
  await behind.fetchSlice(QUERY);
  await behind.close();
  expect(server.seen[0]?.url).toMatch(/^\/mirror\/udl\/spaceenvobservation\?/);
});

test('only [] is empty', async () => {
  expect(await ask((response) => sendJson(response, []))).toMatchObject({
    kind: 'empty',
    httpStatus: 200,
    bodyBytes: 2,
  });
});

test('a body that a proxy compressed is read all the same', async () => {
  const gzip: Script = (response) =>
    send(response, 200, gzipSync(JSON.stringify([RECORD])), { 'content-encoding': 'gzip' });
  expect(await ask(gzip)).toMatchObject({ kind: 'data', counts: { records: 1 } });
});

describe('UDL-D4: what an answer means', () => {
  test.for([
    [408, 'http_error'],
    [425, 'http_error'],
    [429, 'rate_limited'],
    [500, 'http_error'],
    [502, 'http_error'],
    [503, 'http_error'],
    [504, 'http_error'],
    [401, 'auth_rejected'],
    [403, 'auth_rejected'],
    [400, 'request_rejected'],
    [404, 'request_rejected'],
    [501, 'request_rejected'],
  ] as const)('%d is %s, with status, host and readable start', async ([status, kind]) => {
    const answer = await ask((response) =>
      send(response, status, '<h1>Sorry,</h1> not <b>now</b>', { 'content-type': 'text/html' }),
    );
    expect(answer).toMatchObject({ kind: 'failed', httpStatus: status, failure: { kind } });
    const { detail } = (answer as Extract<SliceAnswer, { kind: 'failed' }>).failure;
    expect(detail).toContain(`HTTP ${status} (text/html) from 127.0.0.1:`);
    expect(detail).toContain('it begins: Sorry, not now');
  });

  test.for<[string, string, Script]>([
    ['a reset', 'connection_failed', (response) => response.destroy()],
    ['a body shorter than promised', 'connection_failed', (response) => sendCut(response, '[{"id":"a"')],
    [
      'a chunked body that ends early',
      'connection_failed',
      (response) => {
        response.write('[{"id"', () => response.destroy());
      },
    ],
    [
      'a broken gzip',
      'connection_failed',
      (response) => send(response, 200, 'no gzip', { 'content-encoding': 'gzip' }),
    ],
    [
      'an unknown encoding',
      'connection_failed',
      (response) => send(response, 200, 'x', { 'content-encoding': 'zebra' }),
    ],
    [
      'an answer above the limit',
      'wrong_kind',
      (response) => sendJson(response, [{ ...RECORD, id: 'x'.repeat(100_000) }]),
    ],
  ])('%s is %s', async ([, kind, script]) => {
    expect(await ask(script)).toMatchObject({ kind: 'failed', failure: { kind } });
  });

  test('a refused connection is connection_failed', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const nowhere = sourceAt(gone.url);
    const answer = await nowhere.fetchSlice(QUERY);
    await nowhere.close();
    expect(answer).toMatchObject({
      kind: 'failed',
      httpStatus: null,
      failure: { kind: 'connection_failed', detail: expect.stringContaining('ECONNREFUSED') },
    });
  });
});

describe('UDL-6: what takes too long is a timeout', () => {
  let impatient: UdlSource;
  beforeAll(() => {
    impatient = sourceAt(server.url, { requestTimeoutMs: 400, exchangeTimeoutMs: 1_500 });
  });
  afterAll(() => impatient.close());

  test.for<[string, Script]>([
    ['no header', () => undefined],
    ['a body that stops', (response) => response.write('[')],
    [
      'a body that drips for ever',
      (response) => {
        const drip = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(drip));
      },
    ],
  ])('%s', async ([, script]) => {
    server.script = script;
    expect(await impatient.fetchSlice(QUERY)).toMatchObject({ kind: 'failed', failure: { kind: 'timeout' } });
    await expect.poll(() => server.seen[0]?.aborted).toBe(true);
  });
});

describe('UDL-D1, TRACK-9: status 200 is not success', () => {
  test.for<[string, Script, string]>([
    [
      'HTML',
      (r) =>
        send(r, 200, '<html><head><style>p{}</style><script>x()</script></head><p>Please log in', {
          'content-type': 'text/html',
        }),
      'Please log in',
    ],
    ['HTML with the right content type', (r) => send(r, 200, '<p>Maintenance</p>'), 'Maintenance'],
    [
      'a list that calls itself a page',
      (r) => send(r, 200, '[]', { 'content-type': 'text/html; charset=utf-8' }),
      'the answer is a page',
    ],
    ['gzipped HTML', (r) => send(r, 200, gzipSync('<p>Hello</p>'), { 'content-encoding': 'gzip' }), 'Hello'],
    ['an error object', (r) => sendJson(r, { error: 'quota' }), 'without obTime'],
    ['null', (r) => sendJson(r, null), 'no JSON list'],
    ['{}', (r) => sendJson(r, {}), 'without obTime'],
    ['nothing', (r) => send(r, 200, ''), 'empty'],
    [
      'no content',
      (r) => {
        r.writeHead(204);
        r.end();
      },
      'empty',
    ],
    ['cut JSON', (r) => send(r, 200, JSON.stringify([RECORD, RECORD]).slice(0, -20)), 'ends early'],
  ])('%s is wrong_kind, and its start is kept', async ([, script, words]) => {
    const answer = await ask(script);
    expect(answer).toMatchObject({
      kind: 'failed',
      failure: { kind: 'wrong_kind', detail: expect.stringContaining(words) },
    });
  });

  test('a redirect is not followed', async () => {
    const answer = await ask((response) => send(response, 302, '', { location: `${server.url}/login` }));
    expect(answer).toMatchObject({
      kind: 'failed',
      failure: { kind: 'wrong_kind', detail: expect.stringContaining('/login') },
    });
    expect(server.seen).toHaveLength(1);
  });

  async function failureOf(script: Script): Promise<SliceFailure> {
    const answer = await ask(script);
    if (answer.kind !== 'failed') throw new Error(answer.kind);
    return answer.failure;
  }

  test('TRACK-9: of a page at most 1,000 characters of text and 64 KiB of bytes are kept', async () => {
    const failure = await failureOf((response) => send(response, 200, `<p>${'long '.repeat(15_000)}</p>`));
    expect(failure.detail.length).toBe(1_000);
    expect(failure.body).toMatchObject({ mayBeData: false });
    expect(failure.body!.bytes.length).toBeGreaterThan(60_000);
    expect(failure.body!.bytes.length).toBeLessThanOrEqual(64 << 10);
  });

  test.for([200, 302, 500])('CLI-D1: a page that echoes the token (status %d) is kept without it', async (status) => {
    const echo = `<p>${TOKEN} / ${TOKEN.slice(6)} / ${encodeURIComponent(TOKEN)}</p>`;
    const failure = await failureOf((response) => send(response, status, echo));
    const kept = failure.detail + Buffer.from(failure.body?.bytes ?? []).toString('latin1');
    expect(kept).toContain('[secret]');
    expect(kept).not.toContain(TOKEN.slice(6));
  });

  const LONG = `[${JSON.stringify({ note: 'x'.repeat(80_000) })}]`;

  test('TRACK-10: what may be data is kept whole, byte by byte', async () => {
    const failure = await failureOf((response) => send(response, 200, LONG));
    expect(failure).toMatchObject({ kind: 'wrong_kind', detail: expect.stringContaining('record 1 has no obTime') });
    expect(failure.body).toMatchObject({ mayBeData: true, encoding: null, contentType: 'application/json' });
    expect(Buffer.from(failure.body!.bytes).toString()).toBe(LONG);
  });

  test('TRACK-10, CLI-D1: the token in it is blacked out', async () => {
    const failure = await failureOf((response) => send(response, 200, `[${LONG}, ${TOKEN} ${TOKEN.slice(6)}`));
    expect(Buffer.from(failure.body!.bytes).toString()).toBe(`[${LONG}, [secret] [secret]`);
  });

  test.for([
    ['a damaged gzip', damaged(gzipSync(LONG)), 'gzip', 'cannot be decoded'],
    ['an encoding nobody here knows', Buffer.from('as it came'), 'x-tar', 'unknown content encoding "x-tar"'],
  ] as const)('TRACK-10: %s is kept as it came', async ([, bytes, encoding, words]) => {
    const failure = await failureOf((response) => send(response, 200, bytes, { 'content-encoding': encoding }));
    expect(failure).toMatchObject({ kind: 'connection_failed', detail: expect.stringContaining(words) });
    expect(failure.body).toMatchObject({ mayBeData: true, encoding });
    expect(Buffer.from(failure.body!.bytes).equals(bytes)).toBe(true);
  });

  test('TRACK-9, CLI-D1: the readable part of a damaged gzip is told; one with the token in it is not kept', async () => {
    const page = damaged(gzipSync(`[{"said": "sorry, ${TOKEN}"}]${randomBytes(20_000).toString('hex')}`));
    const failure = await failureOf((response) => send(response, 200, page, { 'content-encoding': 'gzip' }));
    expect(failure.detail).toContain('it begins: [{"said": "sorry, [secret]"}]');
    expect(failure.body).toBeNull();
  });

  test('a body compressed with zstd is read', async () => {
    const body = zstdCompressSync(JSON.stringify([RECORD]));
    const answer = await ask((response) => send(response, 200, body, { 'content-encoding': 'zstd' }));
    expect(answer).toMatchObject({ kind: 'data', counts: { records: 1 } });
  });
});

/** Sound in its first half. */
function damaged(bytes: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, bytes.length >> 1), Buffer.alloc(bytes.length >> 1, 0xff)]);
}

test('SAFE-2: the header of a 429 is told before its body has come', async () => {
  const headers: AnswerHeader[] = [];
  let finish: (() => void) | undefined;
  let heardMs = 0;
  server.script = (response) => {
    response.writeHead(429, { 'retry-after': '7' });
    response.write('slow down');
    finish = () => response.end();
  };
  const startedMs = Date.now();
  const answer = await source.fetchSlice(QUERY, {
    onHeader: (header) => {
      headers.push(header);
      heardMs = Date.now();
      setTimeout(() => finish?.(), 20);
    },
  });
  expect(headers).toEqual([{ status: 429, retryAfter: '7', date: expect.any(String) }]);
  expect(answer).toMatchObject({ kind: 'failed', failure: { kind: 'rate_limited', retryAfter: '7' } });
  // It is dated by its header, as the pause is.
  expect(answer.endedAtMs).toBeLessThanOrEqual(heardMs);
  expect(answer.endedAtMs).toBeGreaterThanOrEqual(startedMs);
});

describe('cancelling', () => {
  test('ends the request at once, also at the server (SAFE-10)', async () => {
    const abort = new AbortController();
    server.script = () => abort.abort();
    expect(await source.fetchSlice(QUERY, { signal: abort.signal })).toMatchObject({ kind: 'cancelled' });
    await expect.poll(() => server.seen[0]?.aborted).toBe(true);
  });

  test('closing cancels what is under way and ends the threads', async () => {
    const closing = sourceAt(server.url);
    server.script = () => undefined;
    const answer = closing.fetchSlice(QUERY);
    await expect.poll(() => server.seen.length).toBe(1);
    await closing.close();
    expect(await answer).toMatchObject({ kind: 'cancelled' });
    await expect.poll(() => server.seen[0]?.aborted).toBe(true);
  });
});

test('many slices side by side over two threads, each with its own answer', async () => {
  const threaded = createUdlSource({ baseUrl: server.url, token: new Secret(TOKEN), threads: 2 });
  server.script = (response, { startMs }) =>
    sendJson(response, [{ id: String(startMs), obTime: new Date(startMs).toISOString() }]);
  const starts = Array.from({ length: 40 }, (_, index) => START + index * 300_000);
  const answers = await Promise.all(
    starts.map((start) =>
      threaded.fetchSlice({
        ...QUERY,
        slice: { startMs: start, endMs: start + 300_000, queryStartMs: start, queryEndMs: start + 300_000 },
      }),
    ),
  );
  await threaded.close();
  const rows = answers.map((answer) => (answer.kind === 'data' ? Buffer.from(answer.block).toString() : answer.kind));
  expect(rows).toEqual(starts.map((start) => `${start},${new Date(start).toISOString()}\r\n`));
});

describe('giving memory back', () => {
  const notes = ['first '.repeat(50), 'second', 'third '.repeat(20), 'fourth'];

  async function blockWith(note: string): Promise<Uint8Array> {
    const answer = await ask((response) => sendJson(response, [{ ...RECORD, note }]));
    if (answer.kind !== 'data') throw new Error(answer.kind);
    return answer.block;
  }

  const rowWith = (note: string): string => `a,REACH-101,2026-01-01T00:00:05.000Z,${note}\r\n`;

  test('later answers hold nothing of a block given back, blocks still held stay as they are', async () => {
    const held = await blockWith('held');
    for (const note of notes) {
      const block = await blockWith(note);
      expect(Buffer.from(block).toString()).toBe(rowWith(note));
      source.recycle(block);
    }
    expect(Buffer.from(held).toString()).toBe(rowWith('held'));
  });

  test('giving back twice, or what is no block of the source, changes nothing', async () => {
    const block = await blockWith('once');
    source.recycle(block);
    source.recycle(block);
    const stranger = Uint8Array.of(1, 2, 3);
    source.recycle(stranger);
    expect(stranger).toEqual(Uint8Array.of(1, 2, 3));
    const [one, two] = [await blockWith('one'), await blockWith('two')];
    expect([one, two].map((each) => Buffer.from(each).toString())).toEqual([rowWith('one'), rowWith('two')]);
  });
});

describe('configuration', () => {
  test.for(['', 'Basic a\nb', 'Basic \u00e4'])(
    'a token that no header can carry is refused without showing it',
    (token) => {
      expect(() => createUdlSource({ baseUrl: server.url, token: new Secret(token) })).toThrow(
        expect.objectContaining({
          kind: 'config_invalid',
          message: expect.not.stringContaining('Basic'),
          hint: expect.stringContaining('BASICAUTH'),
        }),
      );
    },
  );

  test('an address that is none is refused', () => {
    expect(() => createUdlSource({ baseUrl: 'udl', token: new Secret(TOKEN) })).toThrow(
      'The address of the UDL, "udl", is no URL.',
    );
  });
});

test('a thread at work is heard again and again, however long an answer takes; one without work is not silent', async () => {
  expect(source.silentMs()).toBe(0);
  let release: (() => void) | undefined;
  const answer = ask((response) => {
    release = () => sendJson(response, [RECORD]);
  });
  // Silence grows until the thread reports; without reports it would only grow.
  let [reports, last] = [0, 0];
  await expect
    .poll(() => {
      const silent = source.silentMs();
      if (silent < last) reports += 1;
      last = silent;
      return reports;
    })
    .toBe(2);
  expect(source.silentMs()).toBeGreaterThan(0);
  release?.();
  expect(await answer).toMatchObject({ kind: 'data' });
  expect(source.silentMs()).toBe(0);
});

describe('UDL §9: the number of records', () => {
  test('is asked for with the same filters below /count, and read from plain text', async () => {
    server.script = (response) => send(response, 200, ' 1105920\n', { 'content-type': 'text/plain' });
    expect(await source.fetchCount(QUERY)).toMatchObject({ kind: 'counted', records: 1_105_920, httpStatus: 200 });
    expect(server.seen[0]?.url).toMatch(
      /^\/udl\/spaceenvobservation\/count\?obTime=2026-01-01T00:00:00.000Z\.\.2026-01-01T00:05:00.000Z&/,
    );
    expect(server.seen[0]?.url).not.toContain('sort=');
  });

  test.for<[string, boolean, Script]>([
    ['404', true, (response) => send(response, 404, '{"error":"nothing here"}')],
    ['405', true, (response) => send(response, 405, 'no')],
    ['501', true, (response) => send(response, 501, 'no')],
    ['a list', false, (response) => sendJson(response, [RECORD])],
    ['a negative number', false, (response) => send(response, 200, '-1')],
    ['a fraction', false, (response) => send(response, 200, '1.5')],
    ['nothing', false, (response) => send(response, 200, '')],
    ['a page', false, (response) => send(response, 200, '<html>12</html>', { 'content-type': 'text/html' })],
  ])('%s: this server does not count, which is no failure', async ([, isRefused, script]) => {
    server.script = script;
    const answer = await source.fetchCount(QUERY);
    expect(answer).toMatchObject({
      kind: 'uncountable',
      isRefused,
      why: expect.stringContaining('127.0.0.1') as string,
    });
  });

  test.for([401, 408, 429, 500, 503])('%i is a failure like that of a slice', async (status) => {
    server.script = (response) => send(response, status, 'no', { 'retry-after': '7' });
    const headers: number[] = [];
    const answer = await source.fetchCount(QUERY, { onHeader: (header) => headers.push(header.status) });
    expect(answer).toMatchObject({ kind: 'failed', httpStatus: status, failure: { retryAfter: '7' } });
    expect(headers).toEqual([status]);
  });

  test('may be cancelled', async () => {
    server.script = () => undefined;
    const abort = new AbortController();
    const answer = source.fetchCount(QUERY, { signal: abort.signal });
    await expect.poll(() => server.seen.length).toBe(1);
    abort.abort(new Error('enough'));
    expect(await answer).toMatchObject({ kind: 'cancelled' });
  });
});

test.each([429, 401, 403])(
  'SAFE-2, design §3: nothing starts once the header of a %d is read, though nobody here has heard of it yet',
  async (status) => {
    const two = createUdlSource({ baseUrl: `${server.url}/`, token: new Secret(TOKEN), threads: 2 });
    try {
      await Promise.all([two.fetchSlice(QUERY), two.fetchSlice(QUERY)]);
      server.seen.length = 0;
      const late: Promise<unknown>[] = [];
      server.script = (response) => {
        response.on('finish', () =>
          setImmediate(() => {
            // The thread reads the header meanwhile; this thread, which cannot hear of it, then lets two more go.
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
            late.push(two.fetchSlice(QUERY), two.fetchCount(QUERY));
          }),
        );
        response.writeHead(status).end();
      };
      expect(await two.fetchSlice(QUERY)).toMatchObject({ kind: 'failed', httpStatus: status });
      const ends = await Promise.allSettled(late);
      expect(ends.map((end) => end.status === 'rejected' && end.reason instanceof HeldBack)).toEqual([true, true]);
      expect(server.seen).toHaveLength(1);

      // Whoever has heard of it decides anew.
      server.script = (response) => sendJson(response, [RECORD]);
      expect(await two.fetchSlice(QUERY)).toMatchObject({ kind: 'data' });
    } finally {
      await two.close();
    }
  },
);
