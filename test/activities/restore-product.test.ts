/** SAFE-11: a former product comes back byte for byte, stays, and a kill at any step leaves a product that is recorded and whole. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planDays, previewDays } from '../../src/activities/plan/plan-days.ts';
import { restoreProduct } from '../../src/activities/restore-product.ts';
import type { RunOptions } from '../../src/core/backfill/types.ts';
import type { PipelineError } from '../../src/core/errors.ts';
import type { ArtifactRow, Ledger } from '../../src/ledger/ledger.ts';
import { backupFile } from '../../src/storage/backup.ts';
import { findFormerCopies } from '../../src/storage/former-copies.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import { DESTINATION, FIRST, PROVISIONAL, QUICKLOOK, createHarness, request, sha256 } from './plan/plan-harness.ts';

type Harness = Awaited<ReturnType<typeof createHarness>>;

const FORMER = 'the records before';
const PRESENT = 'the records after late data';

/** A day whose product was delivered, and then replaced under the same name after its download changed. */
async function changedDay(): Promise<Harness & { former: ArtifactRow; copy: string }> {
  const harness = await createHarness();
  await harness.download(FIRST, FORMER);
  const former = await harness.build(FIRST, FORMER);
  await harness.upload(former);
  const copy = await backupFile(former.path, join(harness.folders.products, '_backup'));
  // As a build does: another file takes the name, the backup keeps the content.
  rmSync(former.path);
  await harness.download(FIRST, PRESENT);
  await harness.build(FIRST, PRESENT);
  return { ...harness, former, copy };
}

const factsOf = async ({ ledger }: { ledger: Ledger }) =>
  (await ledger.dayFacts(QUICKLOOK, FIRST, FIRST, DESTINATION))[0]!;

const decided = async ({ deps }: Harness, options: Partial<RunOptions>) =>
  (await previewDays(deps, request(options, { last: FIRST }))).days.map(
    ({ stages, skip, reason }) => `${stages.join(' ') || skip}: ${reason}`,
  );

const content = (row: ArtifactRow): string => readFileSync(row.path, 'utf8');

describe('restoreProduct', () => {
  test('the former product is back in file, manifest, ledger and telemetry; the present one is among the backups', async () => {
    const day = await changedDay();
    const { ledger, folders, former, copy } = day;
    const { kept } = await restoreProduct(ledger, folders.products, former, [copy]);
    expect(sha256(content(former))).toBe(former.sha256);
    expect(await readManifest(former.path)).toMatchObject({ sha256: former.sha256, restoredFor: sha256(PRESENT) });
    expect(kept.map((path) => readFileSync(path, 'utf8'))).toEqual([`cdf of ${PRESENT} as parity`]);
    const facts = await factsOf(day);
    expect(facts.productFile).toMatchObject({ sha256: former.sha256, inputSha256: sha256(FORMER) });
    expect(facts.build?.status).toBe('PROCESSED');
    expect(await ledger.supersededFiles({ first: FIRST, last: FIRST })).toMatchObject([
      { kind: 'download' },
      { kind: 'product', sha256: former.sha256 },
      { kind: 'product', sha256: sha256(`cdf of ${PRESENT} as parity`) },
    ]);
  });

  test('it stays whatever the next command is, until the download changes again', async () => {
    const day = await changedDay();
    await restoreProduct(day.ledger, day.folders.products, day.former, [day.copy]);
    for (const options of [{}, { profile: 'istp' }, { mode: 'process' }, { mode: 'download' }] as const) {
      expect(await decided(day, options)).toEqual([expect.stringMatching(/^existing: already (built|downloaded)/)]);
    }
    // What was delivered first is what is here again.
    expect(await decided(day, { uploadTo: DESTINATION })).toEqual(['existing: already delivered']);
    expect(await decided(day, { uploadTo: 'file:///elsewhere' })).toEqual(['upload: not delivered there yet']);
    expect(await day.ledger.zarrChanges('file:///z', QUICKLOOK, null, 9)).toMatchObject([
      { day: FIRST, sha256: day.former.sha256 },
    ]);
    await day.download(FIRST, 'yet another download');
    expect(await decided(day, {})).toEqual(['build: the product was made from another input or with another profile']);
  });

  test('a product of another name: the present one leaves its place', async () => {
    const day = await changedDay();
    const { ledger, folders, productPath, writeFile, former, copy } = day;
    const present = { ...former, ...writeFile(productPath(FIRST, '1.0.1'), 'cdf of v1.0.1') };
    await ledger.putArtifact({ ...present, inputSha256: sha256(PRESENT), profile: 'parity', version: '1.0.1' });
    rmSync(former.path);
    await restoreProduct(ledger, folders.products, former, [copy]);
    expect(existsSync(present.path)).toBe(false);
    expect(sha256(content(former))).toBe(former.sha256);
    const copies = await findFormerCopies([folders.products]);
    expect(await copies.of(present.path.slice(folders.products.length + 1), present.sizeBytes)).toHaveLength(1);
  });

  test.for(['artifactOwner', 'putArtifact', 'openStage', 'closeStage'] as const)(
    'killed at %s: a whole product is recorded, and the same command finishes',
    async (step) => {
      const day = await changedDay();
      const { ledger, folders, former, copy } = day;
      const killed: Ledger = { ...ledger, [step]: () => Promise.reject(new Error('killed here')) };
      await expect(restoreProduct(killed, folders.products, former, [copy])).rejects.toThrow('killed here');
      const plan = await planDays(day.deps, request({}, { last: FIRST }));
      const between = (await factsOf(day)).productFile!;
      const isWhole = existsSync(between.path) && sha256(content(between)) === between.sha256;
      // Where it is not the recorded one, the next run would build that again.
      expect(isWhole || plan.days[0]?.stages.includes('build')).toBe(true);
      const copies = await findFormerCopies([folders.products]);
      const inside = former.path.slice(folders.products.length + 1);
      await restoreProduct(ledger, folders.products, former, await copies.of(inside, former.sizeBytes));
      expect((await factsOf(day)).productFile?.sha256).toBe(former.sha256);
      expect(sha256(content(former))).toBe(former.sha256);
      expect(await decided(day, {})).toEqual(['existing: already built']);
    },
  );

  test('SAFE-11: refused with a reason, and nothing touched: no copy, a damaged copy, a name of another product; a copy that is fetched to the place named is taken', async () => {
    const day = await changedDay();
    const { ledger, folders, former, copy } = day;
    const before = await factsOf(day);
    await expect(restoreProduct(ledger, folders.products, former, [])).rejects.toMatchObject({
      kind: 'input_invalid',
      message: expect.stringContaining('No copy of it is left'),
    });
    const taken = join(folders.products, 'l1c/prelim/2025/09/01/taken.cdf');
    await ledger.putArtifact({ ...former, product: PROVISIONAL, path: taken });
    await expect(restoreProduct(ledger, folders.products, { ...former, path: taken }, [copy])).rejects.toMatchObject({
      kind: 'path_owned',
    });
    writeFileSync(copy, 'x'.repeat(former.sizeBytes));
    const damaged: unknown = await restoreProduct(ledger, folders.products, former, [copy]).catch(
      (error: unknown) => error,
    );
    expect(damaged).toMatchObject({ message: expect.stringMatching(/is damaged: .*_backup/) });
    expect(await factsOf(day)).toEqual(before);
    expect(content(before.productFile!)).toBe(`cdf of ${PRESENT} as parity`);

    const [, place = ''] = /fetch it to (\S+) and repeat/.exec((damaged as PipelineError).hint ?? '') ?? [];
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, `cdf of ${FORMER} as parity`);
    const copies = await findFormerCopies([folders.products]);
    const inside = former.path.slice(folders.products.length + 1);
    await restoreProduct(ledger, folders.products, former, await copies.of(inside, former.sizeBytes));
    expect(sha256(content(former))).toBe(former.sha256);
    expect((await factsOf(day)).productFile?.sha256).toBe(former.sha256);
  });
});

test('copies are found under the own name first, then among the backups, the newest first; hidden and other files are none', async () => {
  const { root, writeFile } = await createHarness();
  const [a, b] = [join(root, 'a'), join(root, 'b')];
  for (const path of ['_backup/20250101T000000000Z/l1c/x.cdf', '_backup/20250301T000000000Z/l1c/x.cdf', 'l1c/y.cdf'])
    writeFile(join(a, path), 'four');
  writeFile(join(b, 'l1c/x.cdf'), 'four');
  writeFile(join(b, '_backup/20250201T000000000Z/l1c/x.cdf'), 'larger');
  const copies = await findFormerCopies([a, b, join(root, 'nowhere')]);
  expect(await copies.of('l1c/x.cdf', 4)).toEqual([
    join(a, '_backup/20250301T000000000Z/l1c/x.cdf'),
    join(a, '_backup/20250101T000000000Z/l1c/x.cdf'),
    join(b, 'l1c/x.cdf'),
  ]);
  expect(await copies.of('l1c/z.cdf', 4)).toEqual([]);
});
