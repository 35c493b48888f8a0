/** TRACK-15 with a real receiver: whatever it does, callers are neither kept waiting nor told. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { createNotifier } from '../../src/notify/notifier.ts';
import type { NotifierOptions } from '../../src/notify/notifier.ts';
import { DAY, NEXT_DAY, QUICKLOOK, attempt, openIn, temporaryFolder } from '../ledger/support.ts';

const TOKEN = new Secret('Basic c2VjcmV0LXVzZXI6dmVyeQ==');
const PATH = '/services/T000/B000/the-secret-of-the-webhook';

interface Receiver {
  readonly url: Secret;
  readonly texts: string[];
  readonly close: () => Promise<void>;
}

async function receiver(
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) => void response.end('ok'),
): Promise<Receiver> {
  const texts: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      texts.push((JSON.parse(Buffer.concat(chunks).toString()) as { text: string }).text);
      answer(response, request);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  onTestFinished(close);
  const { port } = server.address() as AddressInfo;
  return { url: new Secret(`http://127.0.0.1:${port}${PATH}`), texts, close };
}

async function setUp(webhook: Secret, options: Partial<NotifierOptions> = {}, now = Date.now) {
  const ledger = await openIn(temporaryFolder(), now);
  const warnings: string[] = [];
  const notifier = createNotifier({
    store: ledger,
    webhook,
    secrets: [TOKEN],
    command: ({ firstDay }) => `reachback run --start-date ${firstDay} --retry-failed`,
    log: { warn: (facts, message) => void warnings.push(`${message} ${JSON.stringify(facts)}`) },
    tickMs: 10,
    settleMs: 0,
    timeoutMs: 300,
    ...options,
  });
  onTestFinished(() => notifier.close());
  const fail = (day = DAY, message = 'slice 100 failed six times'): Promise<void> =>
    ledger.failStage(attempt({ day, workflowRunId: `wf-${day}` }), {
      stage: 'download',
      kind: 'slice_exhausted',
      message,
    });
  const succeed = (day = DAY): Promise<void> =>
    ledger.closeStage(attempt({ day, runId: 'run-2', workflowRunId: `again-${day}` }), {
      status: 'SKIPPED_NO_DATA',
      seconds: 1,
      reason: 'nothing',
    });
  return { ledger, notifier, warnings, fail, succeed };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !holds(); await sleep(10)) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
  }
}

describe('the notifier', () => {
  test('TRACK-15: opens with count, first day, cause, command and incident; closes with the same incident', async () => {
    const { url, texts } = await receiver();
    const clock = { ms: Date.now() };
    const { fail, succeed } = await setUp(url, { settleMs: 200 }, () => clock.ms);
    await fail(NEXT_DAY);
    await fail(DAY);
    // Time goes on now that both are failed.
    await until('the opening message', () => {
      clock.ms += 50;
      return texts.length === 1;
    });
    const [, incident] = /\(incident ([0-9a-f]{8})\)/.exec(texts[0]!) ?? [];
    expect(texts[0]).toBe(
      `reachback: 2 days of ${QUICKLOOK} FAILED in download: slice_exhausted; the first is ${DAY} (incident ${incident})\n` +
        '&gt; slice 100 failed six times\n' +
        `When the cause is gone: reachback run --start-date ${DAY} --retry-failed`,
    );
    await succeed(DAY);
    await succeed(NEXT_DAY);
    await until('the closing message', () => texts.length === 2);
    expect(texts[1]).toContain(`(incident ${incident})`);
    expect(texts[1]).toContain('resolved');
  });

  test('TRACK-15: a stop of the run and its going on are told, and stages wait for neither', async () => {
    const { url, texts } = await receiver();
    const { notifier } = await setUp(url);
    notifier.stopped({ product: QUICKLOOK, day: DAY, cause: 'auth_rejected', detail: 'HTTP 403' });
    await until('the opening message', () => texts.length === 1);
    expect(texts[0]).toContain(`the run of ${QUICKLOOK} stopped at ${DAY}: auth_rejected`);
    notifier.wentOn(QUICKLOOK);
    await until('the closing message', () => texts.length === 2);
    expect(texts[1]).toContain('goes on after auth_rejected');
  });

  test('TRACK-15: no secret is in a message or a warning, were it in the words of an error', async () => {
    const { url, texts } = await receiver((response) => void response.writeHead(500).end());
    const { fail, warnings } = await setUp(url);
    await fail(DAY, `refused ${TOKEN.reveal()} and ${url.reveal()}`);
    await until('a message and its warning', () => warnings.length === 1);
    expect(texts[0]).toContain('refused [secret] and [secret]');
    expect(warnings.join()).toContain('HTTP 500');
    for (const text of [...texts, ...warnings]) {
      expect(text).not.toContain('c2VjcmV0LXVzZXI6dmVyeQ');
      expect(text).not.toContain('the-secret-of-the-webhook');
    }
  });

  test('TRACK-15: a secret that the end of a long detail would cut is not told by its beginning', async () => {
    const { url, texts } = await receiver((response) => void response.writeHead(200).end());
    const { fail } = await setUp(url);
    await fail(DAY, `${'x'.repeat(270)} ${TOKEN.reveal()}`);
    await until('a message', () => texts.length === 1);
    expect(texts[0]).toContain('x [secret]');
    expect(texts[0]).not.toContain(TOKEN.reveal().slice(0, 12));
  });

  test('TRACK-15: what a receiver refused with 500 is sent by a later process, once', async () => {
    let status = 500;
    const { url, texts } = await receiver((response) => void response.writeHead(status).end());
    const clock = { ms: Date.now() };
    const root = temporaryFolder();
    const ledger = await openIn(root, () => clock.ms);
    const options = {
      store: ledger,
      webhook: url,
      secrets: [],
      command: () => 'reachback run',
      log: { warn: () => undefined },
      timeoutMs: 1_000,
    };
    await ledger.failStage(attempt(), { stage: 'download', kind: 'slice_exhausted', message: 'no' });
    await createNotifier(options).close();
    expect(texts).toHaveLength(1);
    await createNotifier(options).close();
    expect(texts).toHaveLength(1);
    clock.ms += 30_000;
    status = 200;
    await createNotifier(options).close();
    expect(texts).toHaveLength(2);
    clock.ms += 3_600_000;
    await createNotifier(options).close();
    expect(texts).toHaveLength(2);
    expect(texts[1]).toBe(texts[0]);
  });

  test.for<[what: string, answer: ((response: ServerResponse) => void) | null]>([
    ['is away', null],
    ['never answers', () => undefined],
    ['cuts the line', (response) => void response.destroy()],
    ['sends elsewhere', (response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
  ])('TRACK-15: a receiver that %s: one warning, closing ends in time, the message stays due', async ([, answer]) => {
    const { url, close } = await receiver(answer ?? undefined);
    if (answer === null) await close();
    const { ledger, notifier, fail, warnings } = await setUp(url);
    await fail();
    await until('the warning', () => warnings.length === 1);
    const closing = notifier.close().then(() => 'closed');
    expect(await Promise.race([closing, sleep(20_000, 'still open', { ref: false })])).toBe('closed');
    expect(warnings).toHaveLength(1);
    // Not lost: it only waits.
    expect(await ledger.claimMessage(1)).toBeNull();
    const { rows } = await ledger.checkIntegrity();
    expect(rows).toMatchObject({ alerts: 1, outbox: 1 });
  });

  test('TRACK-15: a ledger that fails is a warning, and the loop goes on', async () => {
    const { url, texts } = await receiver();
    let broken = true;
    const root = temporaryFolder();
    const ledger = await openIn(root, Date.now);
    const warnings: string[] = [];
    const notifier = createNotifier({
      store: {
        ...ledger,
        updateAlerts: (wording) => (broken ? Promise.reject(new Error('locked')) : ledger.updateAlerts(wording)),
      },
      webhook: url,
      secrets: [],
      command: () => 'reachback run',
      log: { warn: (_facts, message) => void warnings.push(message) },
      tickMs: 10,
      settleMs: 0,
    });
    onTestFinished(() => notifier.close());
    await ledger.failStage(attempt(), { stage: 'download', kind: 'slice_exhausted', message: 'no' });
    await until('a warning', () => warnings.length > 0);
    broken = false;
    await until('the message', () => texts.length === 1);
    expect(warnings[0]).toBe('a notification was put off');
  });
});
