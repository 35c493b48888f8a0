/** TRACK-15 by the real program: what a webhook hears of a run, and what a run notices of its webhook. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TOKEN, createPlace, filesBelow, runArgs } from './harness.ts';

const SECRET_PATH = '/services/T000/B000/secret-of-the-webhook';

async function receiver(answer: (response: ServerResponse) => void): Promise<{ url: string; texts: string[] }> {
  const texts: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      texts.push((JSON.parse(body) as { text: string }).text);
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${SECRET_PATH}`, texts };
}

const FAST = { REACHBACK_PASS_WAIT_MS: '50' };
const BAD_SLICE = { rules: [{ match: { day: '2025-09-02', slice: 2 }, fault: { kind: 'html' as const } }] };

function someDays(workspace: string, ...more: string[]): string[] {
  return ['--sensor-id', 'REACH-101', '--workspace', workspace, ...more];
}

describe('notifications of a run', () => {
  test('TRACK-15: unset is one warning; a failed day is told once, with the command to retry; its end once', async () => {
    const place = await createPlace();
    const { url, texts } = await receiver((response) => void response.end('ok'));
    place.simulator.setFaults(BAD_SLICE);
    const args = runArgs(place, '2025-09-01', '2025-09-02', ...someDays(place.workspace));
    const unset = await place.run(args, FAST);
    expect(unset.code).toBe(1);
    expect(unset.stderr.split('\n').filter((line) => line.includes('SLACK_WEBHOOK_URL'))).toHaveLength(1);

    const told = { ...FAST, SLACK_WEBHOOK_URL: url };
    expect((await place.run(args, told)).code).toBe(1);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain(
      '1 day of reach-101/quicklook FAILED in download: slice_exhausted; the first is 2025-09-02',
    );
    expect(texts[0]).toContain(`When the cause is gone: reachback ${args.join(' ')} --retry-failed`);

    place.simulator.setFaults({ rules: [] });
    const mended = await place.run([...args, '--retry-failed'], told);
    expect(mended.code).toBe(0);
    expect(texts).toHaveLength(2);
    const [, incident] = /\(incident (\w+)\)/.exec(texts[0]!) ?? [];
    expect(texts[1]).toContain('resolved');
    expect(texts[1]).toContain(`(incident ${incident})`);

    const left = [
      ...texts,
      mended.stdout,
      mended.stderr,
      ...filesBelow(place.dir).map((path) => readFileSync(path, 'latin1')),
    ];
    for (const secret of [TOKEN.slice('Basic '.length), 'secret-of-the-webhook']) {
      expect(left.filter((text) => text.includes(secret))).toEqual([]);
    }
  });

  test('TRACK-15: a webhook that never answers changes neither the days nor the exit code', async () => {
    const place = await createPlace();
    const { url, texts } = await receiver(() => undefined);
    place.simulator.setFaults(BAD_SLICE);
    const args = runArgs(place, '2025-09-01', '2025-09-03', ...someDays(place.workspace));
    const ended = await place.run(args, { ...FAST, SLACK_WEBHOOK_URL: url });
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/downloaded=2 .*failed=1/);
    expect(ended.stderr).toContain('a notification was not taken');
    expect(texts).toHaveLength(1);
  });
});
