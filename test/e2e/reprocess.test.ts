/** TRACK-10 through the real program: an answer that could not be read, and a version that can. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { KeptBodyHeader } from '../../src/activities/download/kept-body.ts';
import { TOKEN, createPlace, fileHashes, filesBelow, runArgs } from './harness.ts';
import type { Place } from './harness.ts';

const DAY = '2025-09-02';
const SENSOR = ['--sensor-id', 'REACH-101'];

/** Puts the source's good answer in place of the one that was kept: what this version reads and a former one did not. */
async function makeReadable(place: Place, path: string): Promise<void> {
  const kept = readFileSync(path);
  const header = JSON.parse(kept.toString('utf8', 0, kept.indexOf(10))) as KeptBodyHeader;
  const range = [header.asked.queryStartMs, header.asked.queryEndMs].map((ms) => new Date(ms).toISOString()).join('..');
  const query = `obTime=${range}&idSensor=REACH-101&source=Aerospace&dataMode=REAL&descriptor=QUICKLOOK&sort=obTime`;
  const url = `${place.simulator.url}/udl/spaceenvobservation?${query}`;
  const answer = await fetch(url, { headers: { authorization: TOKEN } });
  const body = Buffer.from(await answer.arrayBuffer());
  const sha256 = createHash('sha256').update(body).digest('hex');
  const line = `${JSON.stringify({ ...header, bytes: body.length, sha256 })}\n`;
  writeFileSync(path, Buffer.concat([Buffer.from(line), gzipSync(body)]));
}

test('TRACK-10: a day whose answer could not be read is completed by reprocess: no request, no token; refresh then compares it', async () => {
  const calm = await createPlace();
  const place = await createPlace();
  const args = runArgs(place, '2025-09-01', DAY, ...SENSOR);
  place.simulator.setFaults({ rules: [{ match: { day: DAY, slice: 2 }, fault: { kind: 'cut_json' } }] });
  const [failed] = await Promise.all([
    place.run(args, { REACHBACK_PASS_WAIT_MS: '50' }),
    calm.run(runArgs(calm, DAY, DAY, ...SENSOR)),
  ]);
  expect(failed.stdout).toMatch(/downloaded=1 .*failed=1/);
  const at = ['--workspace', place.workspace];
  expect((await place.run(['status', ...at])).stdout).toContain('Answers of 1 slices could not be read');
  const unread = await place.run(['reprocess', ...at]);
  expect(unread.stdout).toContain(`${DAY} reach-101/quicklook: 1 kept answers, 0 can be read now; 1 slices are still`);
  expect(unread.stdout).toContain('the JSON ends early');
  expect(unread.code).toBe(1);

  const [path] = filesBelow(join(place.workspace, 'downloads/.slices')).filter((name) => name.endsWith('.raw'));
  place.simulator.setFaults({ rules: [] });
  await makeReadable(place, path!);
  const { requests } = place.simulator.stats();
  const offline = { BASICAUTH: undefined, UDL_BASE_URL: 'http://127.0.0.1:9' };
  const before = filesBelow(place.dir);
  expect((await place.run(['reprocess', '--dry-run', ...at], offline)).stdout).toContain(
    'the day is complete with them',
  );
  expect(filesBelow(place.dir)).toEqual(before);
  const target = ['--upload-to', `file://${place.delivered}`, '--profile', 'parity'];
  const done = await place.run(['reprocess', ...at, ...target], offline);
  expect(done.stdout).toMatch(/downloaded=1 processed=1 uploaded=1 .*failed=0/);
  expect(done.stdout).toContain(' uncounted=1 ');
  expect(done.code).toBe(0);
  expect(place.simulator.stats().requests).toBe(requests);
  const products = fileHashes(calm.delivered);
  expect(Object.keys(products)).toHaveLength(1);
  expect(fileHashes(place.delivered)).toMatchObject(products);
  expect(filesBelow(join(place.workspace, 'downloads')).filter((name) => name.includes('.slices'))).toEqual([]);
  expect((await place.run(['reprocess', ...at], offline)).stdout).toContain('No answer is kept');

  const refreshed = await place.run([...args, '--refresh']);
  expect(refreshed.stdout).toMatch(/verified=2 /);
  expect(place.simulator.stats().requests).toBe(requests + 2);
});
