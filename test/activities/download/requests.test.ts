/** How many requests a day took is told over all calls of its stage, also by those that end in an error. */
import { expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type {
  DownloadDependencies,
  DownloadProgress,
  DownloadRequest,
} from '../../../src/activities/download/index.ts';
import { explainText } from '../../../src/cli/support/explain-text.ts';
import { HeldBack } from '../../../src/sources/udl/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { send } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, START, answerFrom, memoryLedger, openGate } from './set-up.ts';
import { useDownloads } from './use-downloads.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const GOOD = answerFrom(ARCHIVE);

let server: ScriptedServer;
let source: UdlSource;
let deps: DownloadDependencies;

useDownloads(GOOD, (place) => {
  ({ server, source, deps } = place);
});

/** The source, for tests that change a part of it. */
function wrapped(): UdlSource {
  return {
    host: source.host,
    fetchSlice: (query, hooks) => source.fetchSlice(query, hooks),
    fetchCount: (query, hooks) => source.fetchCount(query, hooks),
    recycle: (block) => source.recycle(block),
    silentMs: () => source.silentMs(),
    close: () => source.close(),
  };
}

test('a call that fails tells its requests in the error, the next one goes on counting from there', async () => {
  server.script = (response, request) =>
    request.startMs === START ? send(response, 500, 'no') : GOOD(response, request);
  const error: unknown = await downloadDay(deps, ONE).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'source_unavailable', context: { requests: 4 } });
  await expect(downloadDay(deps, { ...ONE, requestsBefore: 4 })).rejects.toMatchObject({ context: { requests: 5 } });
  server.script = GOOD;
  const told: DownloadProgress[] = [];
  const done = await downloadDay(
    deps,
    { ...ONE, requestsBefore: 5 },
    { onProgress: (progress) => told.push(progress) },
  );
  expect(done).toMatchObject({ outcome: 'done', requests: 6 });
  expect(told[0]).toMatchObject({ requests: 5, slicesDone: 3 });
  expect(told.at(-1)).toMatchObject({ requests: 6, slicesDone: 4 });
  expect(await downloadDay(deps, { ...ONE, requestsBefore: 6 })).toMatchObject({ adopted: true, requests: 6 });
});

test('a stopped run keeps its incident beside the count', async () => {
  server.script = (response) => send(response, 401, 'no');
  deps = { ...deps, gate: openGate({ maxConcurrentRequests: 1 }) };
  await expect(downloadDay(deps, { ...ONE, requestsBefore: 7 })).rejects.toMatchObject({
    kind: 'auth_rejected',
    hint: expect.stringContaining('BASICAUTH') as string,
    context: { requests: 8, incident: expect.any(String) as string },
  });
});

test('a day without data tells them too', async () => {
  server.script = answerFrom([]);
  expect(await downloadDay(deps, { ...ONE, requestsBefore: 3 })).toMatchObject({ outcome: 'no_data', requests: 7 });
});

test('SAFE-2: a request is told with the time of its answer, so that the wait after a 429 is seen whole, however busy the worker is', async () => {
  let refused = false;
  server.script = (response, request) => {
    if (refused) {
      GOOD(response, request);
      return;
    }
    refused = true;
    send(response, 429, 'slow down', { 'retry-after': '1' });
  };
  const ledger = memoryLedger();
  const busy: UdlSource = {
    ...wrapped(),
    async fetchSlice(query, hooks) {
      const answer = await source.fetchSlice(query, hooks);
      // The worker is at other things when the answer comes.
      for (const untilMs = performance.now() + 300; answer.kind === 'failed' && performance.now() < untilMs;);
      return answer;
    },
  };
  const gate = openGate({ maxConcurrentRequests: 1 });
  await downloadDay({ ...deps, gate, ledger, source: busy }, ONE);
  const history = {
    product: ONE.product,
    day: DAY,
    attempts: [],
    passes: [],
    files: [],
    counts: [],
    deliveries: [],
    check: null,
    slices: [...ledger.rows.values()],
    requestFailures: ledger.requestFailures,
  };
  const [, waited] =
    /rate_limited: .*Retry-After 1, .*asked again ([\d.]+) s later/.exec(explainText(history, false)) ?? [];
  expect(Number(waited)).toBeGreaterThanOrEqual(1);
});

test('SAFE-2: what a pause held back before it left is asked for again with another permit, and is no request', async () => {
  let held = 0;
  const own: UdlSource = {
    ...wrapped(),
    fetchSlice: (query, hooks) => {
      if (held < 3) {
        held += 1;
        return Promise.reject(new HeldBack('a pause'));
      }
      return source.fetchSlice(query, hooks);
    },
  };
  server.seen.length = 0;
  const done = await downloadDay({ ...deps, source: own }, ONE);
  expect(done).toMatchObject({ outcome: 'done', slices: 4, requests: server.seen.length });
  expect(held).toBe(3);
  expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0, stats: { requests: server.seen.length } });
});
