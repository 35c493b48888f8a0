import { existsSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { verify } from '../../src/cli/support/verification.ts';
import type { Finding } from '../../src/cli/support/verification.ts';
import { openLedgerForReading } from '../../src/ledger/index.ts';
import { parseDestination } from '../../src/storage/destination.ts';
import { createPlace, fileHashes, filesBelow, fingerprint, runArgs, waitUntil } from './harness.ts';
import type { Place } from './harness.ts';

/** `REACHBACK_FLIPS=1000 npx vitest run test/e2e/repair.test.ts` is the drill. */
const FLIPS = Number(process.env['REACHBACK_FLIPS'] ?? 40);

async function finishedPlace(): Promise<Place> {
  const place = await createPlace({ tiny: true });
  const done = await place.run(runArgs(place, '2025-09-01', '2025-09-03'));
  expect(done.code).toBe(0);
  return place;
}

/** Changes one bit; the file's time stays, as when a disk forgets. @returns puts it right again */
function flip(path: string): () => void {
  const { atime, mtime, size } = statSync(path);
  const bytes = readFileSync(path);
  const at = Math.floor(Math.random() * size);
  const bit = 1 << Math.floor(Math.random() * 8);
  const write = (): void => {
    bytes[at] = bytes[at]! ^ bit;
    writeFileSync(path, bytes);
    utimesSync(path, atime, mtime);
  };
  write();
  return write;
}

test('SAFE-7, TEL-D8: verify --deep finds every flipped bit of downloads, products and uploads; repair makes those again and nothing else', async () => {
  const place = await finishedPlace();
  const at = ['--workspace', place.workspace];
  const clean = await place.run(['verify', '--deep', ...at]);
  expect(clean).toMatchObject({ code: 0, stdout: expect.stringContaining('6 files') });

  const reader = await openLedgerForReading({
    root: place.workspace,
    ledgerPath: join(place.workspace, 'state/reachback.db'),
  });
  onTestFinished(() => reader.close());
  const look = async (): Promise<readonly Finding[]> =>
    (await verify(reader, { scope: {}, deep: true, destinationAt: parseDestination })).findings;
  const files = (await reader.presentFiles()).map(({ path }) => path);
  const uploads = (await reader.deliveries()).map(({ key }) => join(place.delivered, key));
  const all = [...files, ...uploads];
  expect(all).toHaveLength(9);
  const missed: string[] = [];
  for (let index = 0; index < FLIPS; index += 1) {
    const path = all[index % all.length]!;
    const putRight = flip(path);
    const found = await look();
    if (found.length !== 1 || found[0]?.problem !== 'content' || !found[0].where.endsWith(path)) missed.push(path);
    putRight();
  }
  expect(missed).toEqual([]);
  expect(await look()).toEqual([]);

  // A download of the first day, a product of the second, an upload of the third.
  const before = { ...fileHashes(place.workspace), ...fileHashes(place.delivered) };
  const untouched = fingerprint(join(place.workspace, 'products'));
  const { requests, slicesAnswered } = place.simulator.stats();
  const brokenDownload = files.find((path) => path.endsWith('20250901T000000_20250902T000000.csv'))!;
  const brokenProduct = files.find((path) => path.includes('20250902T000000_v1.0.0.cdf'))!;
  const brokenUpload = uploads.find((path) => path.includes('20250903'))!;
  flip(brokenDownload);
  rmSync(brokenProduct);
  truncateSync(brokenUpload, 1_000);
  const verified = await place.run(['verify', ...at, '--json']);
  expect(verified.code).toBe(1);
  const { findings } = JSON.parse(verified.stdout) as { findings: Finding[] };
  expect(findings.map(({ what, problem }) => [what, problem])).toEqual([
    ['download', 'content'],
    ['product', 'missing'],
    ['upload', 'size'],
  ]);
  const looked = await place.run(['repair', '--dry-run', ...at]);
  expect(looked.code).toBe(1);
  expect(looked.stdout).toContain(`would put aside ${brokenDownload}`);
  expect(place.simulator.stats().requests).toBe(requests);

  const refused = await place.run(['repair', ...at], { BASICAUTH: undefined });
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('No UDL token') });
  expect(existsSync(brokenDownload)).toBe(true);
  expect(filesBelow(place.workspace).filter((path) => path.includes('/_backup/'))).toEqual([]);

  const pace = ['--max-concurrent-requests', '16', '--initial-rate', '1000', '--max-rate', '1000'];
  const repaired = await place.run(['repair', ...pace, ...at]);
  expect(repaired.stdout).toContain('6 files');
  expect(repaired.stdout).toMatch(/all as recorded\.\n$/);
  expect(repaired.code).toBe(0);
  expect(place.simulator.stats().slicesAnswered).toBe(slicesAnswered);
  expect(place.simulator.stats().repeatedAnswers).toBe(288);
  const after = { ...fileHashes(place.workspace), ...fileHashes(place.delivered) };
  // The same bytes as before; what was broken and stood in the way is kept.
  const products = Object.keys(before).filter((name) => /\.(cdf|csv)$/.test(name) && !name.includes('telemetry'));
  expect(products.length).toBe(9);
  expect(products.filter((name) => after[name] !== before[name])).toEqual([]);
  const kept = [...filesBelow(place.workspace), ...filesBelow(place.delivered)].filter((path) =>
    path.includes('/_backup/'),
  );
  expect(kept.filter((path) => /\.(cdf|csv)$/.test(path))).toHaveLength(2);
  const third = Object.entries(untouched).filter(([name]) => name.includes('20250903'));
  expect(third.length).toBeGreaterThan(0);
  expect(fingerprint(join(place.workspace, 'products'))).toMatchObject(Object.fromEntries(third));
}, 480_000);

test('ADR 0018: repair beside a worker leaves the files of a day at work alone, and takes the others from nobody', async () => {
  const place = await createPlace({ tiny: true });
  const at = ['--workspace', place.workspace];
  const pace = ['--max-concurrent-requests', '16', '--initial-rate', '1000', '--max-rate', '1000'];
  const dev = place.start(['dev', ...at, ...pace]);
  await waitUntil('the server', () => dev.output().includes('web UI'));
  expect((await place.run(runArgs(place, '2025-09-01', '2025-09-02'))).code).toBe(0);
  const products = filesBelow(join(place.workspace, 'products')).filter((path) => path.endsWith('.cdf'));
  const [first = '', second = ''] = products.toSorted();
  const good = fileHashes(join(place.workspace, 'products'));

  // The first day is at work again: its download is gone, and the source is slow.
  rmSync(filesBelow(place.workspace).find((path) => path.endsWith('20250901T000000_20250902T000000.csv'))!);
  flip(first);
  flip(second);
  const broken = readFileSync(first);
  place.simulator.setFaults({ rules: [{ fault: { kind: 'latency' as const, ms: 3_000 } }] });
  const { requests } = place.simulator.stats();
  const run = place.start(runArgs(place, '2025-09-01', '2025-09-01'));
  await waitUntil('the day at work', () => place.simulator.stats().requests > requests + 4);
  const repairing = place.start(['repair', ...at]);
  await waitUntil('left alone', () => repairing.output().includes('2025-09-01 reach-all/quicklook is being worked at'));
  expect(readFileSync(first)).toEqual(broken);
  place.simulator.setFaults({ rules: [] });
  expect((await run.ended).code).toBe(0);
  const { stdout, stderr } = await repairing.ended;
  expect(stderr).toMatch(/put aside: \S*20250902T\S*\.cdf/);
  expect(stderr).not.toMatch(/put aside: \S*20250901T\S*\.cdf/);
  expect(stdout).toContain('2025-09-02..2025-09-02 reach-all/quicklook: process');
  const again = await place.run(['repair', ...at]);
  expect(again.code).toBe(0);
  expect(fileHashes(join(place.workspace, 'products'))).toMatchObject(good);
});

test('TRACK-13: ledger check says that a ledger is whole, and finds a damaged one, a torn one and one that does not add up', async () => {
  const place = await finishedPlace();
  const ledgerFile = join(place.workspace, 'state/reachback.db');
  const at = ['--workspace', place.workspace];
  const whole = await place.run(['ledger', 'check', ...at]);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/attempts +18\n[^]*The ledger is whole\./) });
  const good = readFileSync(ledgerFile);
  const damaged = Buffer.from(good);
  // A page in the middle: what its table held is garbage now.
  damaged.fill(0xa5, 4096 * 9, 4096 * 10);
  writeFileSync(ledgerFile, damaged);
  const found = await place.run(['ledger', 'check', ...at]);
  expect(found).toMatchObject({ code: 1, stdout: expect.stringContaining('The database is damaged: ') });
  writeFileSync(ledgerFile, Buffer.from('not a database, but long enough for its header to be read '.repeat(20)));
  const torn = await place.run(['ledger', 'check', ...at, '--json']);
  expect(torn.code).toBe(1);
  expect((JSON.parse(torn.stdout) as { problems: string[] }).problems).toHaveLength(1);
});

test('ledger decisions prints the tables that planning follows', async () => {
  const place = await createPlace({ tiny: true });
  const text = await place.run(['ledger', 'decisions']);
  expect(text.code).toBe(0);
  expect(text.stdout).toMatch(
    /^download\n\ndownload +noDataFinal +artifact +counted +retryFailed +fetchReleased +action\n/,
  );
  expect(text.stdout).toMatch(/failed +– +– +– +no +– +skip_failed/);
  const tables = JSON.parse((await place.run(['ledger', 'decisions', '--json'])).stdout) as {
    title: string;
  }[];
  expect(tables.map(({ title }) => title)).toEqual(['download', 'process', 'run']);
  expect(filesBelow(place.workspace)).toEqual([]);
});
