/** The stage `build` between two hosts without a common folder: the real activities of both over a real S3 server. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import type { Activities, DayAttempt, StagedInput } from '../../src/activities/types.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import { Staging } from '../../src/storage/staging.ts';
import { goodRecords, toCsv } from '../products/reach-l1c/support.ts';
import { createBucket } from '../support/s3/buckets.ts';
import type { TestBucket } from '../support/s3/buckets.ts';
import { useS3Server } from '../support/s3/use-server.ts';
import { temporaryFolder } from '../storage/temporary-folder.ts';
import {
  KILLED,
  createPlace,
  dayAttempt,
  engine,
  failureOf,
  filesBelow,
  identity,
  putDownload,
  tryStage,
} from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2026-01-01');
const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';
const TEN = toCsv(goodRecords(10));

const s3 = useS3Server();

type Step = 'stageInput' | 'buildCdf' | 'takeProduct' | 'recordDay';

interface Hosts {
  readonly home: Place;
  /** Activities of the worker with the folder, and of the builder without it. */
  readonly atHome: Activities;
  readonly elsewhere: Activities;
  readonly bucket: TestBucket;
  readonly scratch: string;
  /** One try at an activity of either. */
  run(of: Activities, name: Step, attempt?: DayAttempt): Promise<unknown>;
  /** The three steps; what a step throws ends them. */
  build(run?: string): Promise<void>;
  product(): string;
}

async function setUp(csv = TEN): Promise<Hosts> {
  const [home, scratch, bucket] = [await createPlace(), await temporaryFolder(), await createBucket(s3.client)];
  await putDownload(home, DAY, csv);
  const area = new Staging(`s3://${bucket.name}/staging`, s3.settings);
  const atHome = createActivities({ ...home.deps, staging: { side: 'home', area } });
  const elsewhere = createActivities({ ...home.deps, staging: { side: 'builder', area, scratch } });
  const day = (run = 'workflow-run-1'): DayAttempt => dayAttempt({ day: DAY, run });
  const run: Hosts['run'] = async (of, name, attempt = day()) =>
    await engine().run(async (each: DayAttempt): Promise<unknown> => await of[name](each), attempt);
  return {
    home,
    atHome,
    elsewhere,
    bucket,
    scratch,
    run,
    async build(name) {
      const staged = (await run(atHome, 'stageInput', day(name))) as StagedInput;
      await run(elsewhere, 'buildCdf', { ...day(name), staged });
      await run(atHome, 'takeProduct', { ...day(name), staged });
    },
    product: () => join(home.workspace.products, KEY),
  };
}

const staged = async (hosts: Hosts): Promise<DayAttempt & { staged: StagedInput }> => ({
  ...dayAttempt({ day: DAY }),
  staged: (await hosts.run(hosts.atHome, 'stageInput')) as StagedInput,
});

describe('a build elsewhere', () => {
  test('gives the file, manifest, row and telemetry of a build here; nothing stays behind', async () => {
    const here = await createPlace();
    await putDownload(here, DAY, TEN);
    await tryStage(here, 'buildCdf', dayAttempt({ day: DAY }));

    const hosts = await setUp();
    await hosts.build();
    const { home, bucket, scratch } = hosts;
    const product = (): string => hosts.product();
    expect(identity(product()).sha256).toBe(identity(join(here.workspace.products, KEY)).sha256);
    expect(filesBelow(home.workspace.products)).toEqual(filesBelow(here.workspace.products));
    const { inputFile, ...facts } = (await readManifest(join(here.workspace.products, KEY)))! as { inputFile: string };
    const manifest = await readManifest(product());
    expect(manifest).toMatchObject(facts);
    expect(manifest).toMatchObject({ inputFile: inputFile.replace(here.workspace.root, home.workspace.root) });
    expect(await home.rows()).toEqual(['build PROCESS_PENDING', 'build PROCESSED']);
    expect(home.telemetry()).toContain(product());
    const [row] = await home.ledger.dayFacts('reach-all/quicklook', DAY, DAY, null);
    expect(row?.productFile).toMatchObject({ path: product(), mtimeMs: identity(product()).mtimeMs });

    expect(readdirSync(scratch)).toEqual([]);
    expect((await bucket.keys()).length).toBe(3);
    await hosts.run(hosts.atHome, 'recordDay');
    expect(await bucket.keys()).toEqual([]);
  });

  test('only the host with the folder gives the product its place, its row and the closing word', async () => {
    const hosts = await setUp();
    const attempt = await staged(hosts);
    hosts.home.effects.length = 0;
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    expect(hosts.home.effects).toEqual(['openStage', 'generationDate']);
    expect(filesBelow(hosts.home.workspace.products)).toEqual([]);
    await hosts.run(hosts.atHome, 'takeProduct', attempt);
    expect(hosts.home.effects.slice(2)).toEqual(['putArtifact', 'closeStage', 'telemetry']);
  });

  test('SAFE-11: the former product of the day goes to the backups', async () => {
    const hosts = await setUp();
    await hosts.build();
    const former = identity(hosts.product()).sha256;
    await putDownload(hosts.home, DAY, toCsv(goodRecords(11)));
    await hosts.build('workflow-run-2');
    const { backups, products } = hosts.home.workspace;
    const kept = filesBelow(backups).filter((name) => name.endsWith('.cdf'));
    expect(kept.map((name) => identity(join(backups, name)).sha256)).toEqual([former]);
    expect(filesBelow(products).filter((name) => /v1.0.\d.cdf$/.test(name) && !name.startsWith('_'))).toEqual([
      KEY.replace('v1.0.0', 'v1.0.1'),
    ]);
  });
});

describe('killed anywhere, the next try goes on', () => {
  test.for(['putArtifact', 'closeStage', 'telemetry'] as const)(
    'taking the product home, before %s',
    async (effect) => {
      const hosts = await setUp();
      const attempt = await staged(hosts);
      await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
      hosts.home.before(effect, () => {
        throw KILLED;
      });
      await failureOf(hosts.run(hosts.atHome, 'takeProduct', attempt));
      hosts.home.calm();
      await hosts.run(hosts.atHome, 'takeProduct', attempt);
      expect(await hosts.home.rows()).toEqual(['build PROCESS_PENDING', 'build PROCESSED']);
      expect(filesBelow(hosts.home.workspace.products).filter((name) => name.endsWith('.cdf'))).toEqual([KEY]);
      expect(existsSync(hosts.home.workspace.backups)).toBe(false);
    },
  );

  test('a builder lost after the product was staged: another finds it and builds nothing', async () => {
    const hosts = await setUp();
    const attempt = await staged(hosts);
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    hosts.home.effects.length = 0;
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    expect(hosts.home.effects).toEqual(['openStage']);
  });

  test('a builder lost before its note: another builds the same bytes over what lies there', async () => {
    const hosts = await setUp();
    const attempt = await staged(hosts);
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    const prefix = `days/reach-all/quicklook/${DAY}/built/`;
    await new Staging(`s3://${hosts.bucket.name}/staging`, s3.settings).sweep(prefix);
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    await hosts.run(hosts.atHome, 'takeProduct', attempt);
    expect((await hosts.bucket.keys()).filter((key) => key.endsWith('.cdf'))).toHaveLength(1);
    expect(filesBelow(hosts.home.workspace.products)).toContain(KEY);
  });
});

describe('refused', () => {
  test('a day whose file changed while it was built', async () => {
    const hosts = await setUp();
    const attempt = await staged(hosts);
    await hosts.run(hosts.elsewhere, 'buildCdf', attempt);
    await putDownload(hosts.home, DAY, toCsv(goodRecords(11)));
    const failure = await failureOf(hosts.run(hosts.atHome, 'takeProduct', attempt));
    expect(failure).toMatchObject({ type: 'checksum_mismatch', nonRetryable: true });
    expect(filesBelow(hosts.home.workspace.products)).toEqual([]);
  });

  test('a download that is not what was recorded is not staged', async () => {
    const hosts = await setUp();
    const [facts] = await hosts.home.ledger.dayFacts('reach-all/quicklook', DAY, DAY, null);
    writeFileSync(facts!.artifact!.path, TEN.replace('2026', '2027'));
    expect(await failureOf(hosts.run(hosts.atHome, 'stageInput'))).toMatchObject({ type: 'checksum_mismatch' });
    expect(await hosts.bucket.keys()).toEqual([]);
    rmSync(facts!.artifact!.path);
    expect(await failureOf(hosts.run(hosts.atHome, 'stageInput'))).toMatchObject({ type: 'input_invalid' });
  });

  test('a day that nobody staged waits for a worker with the folder; one whose files were removed fails with the reason', async () => {
    const hosts = await setUp();
    const attempt = await staged(hosts);
    const waits = await failureOf(hosts.run(hosts.elsewhere, 'buildCdf'));
    expect(waits).toMatchObject({ type: 'storage_unavailable', nonRetryable: false });
    const notBuilt = await failureOf(hosts.run(hosts.atHome, 'takeProduct', attempt));
    expect(notBuilt).toMatchObject({ type: 'input_invalid', nonRetryable: true });
    expect(notBuilt.message).toContain(`The product of ${DAY} is not at s3://`);
    await hosts.run(hosts.atHome, 'recordDay');
    const notThere = await failureOf(hosts.run(hosts.elsewhere, 'buildCdf', attempt));
    expect(notThere).toMatchObject({ type: 'input_invalid', nonRetryable: true });
    expect(notThere.message).toContain(`${attempt.staged.key} is not there`);
    expect(readdirSync(hosts.scratch)).toEqual([]);
  });

  test('without --staging nothing is staged, and the build goes on by the folder', async () => {
    const hosts = await setUp();
    expect(await hosts.run(hosts.home.activities, 'stageInput')).toBeNull();
    await hosts.run(hosts.home.activities, 'buildCdf');
    expect(filesBelow(hosts.home.workspace.products)).toContain(KEY);
  });
});
