import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { Delivery, DeliveryHooks, DeliveryResult } from '../../src/storage/destination.ts';
import { FileDestination } from '../../src/storage/file-destination.ts';
import {
  ALL,
  KILLED,
  createPlace,
  dayAttempt,
  failureOf,
  filesBelow,
  identity,
  isTemporary,
  putFile,
  sha256,
  tryStage,
} from './set-up.ts';
import type { Place } from './set-up.ts';

/** Not what the destination notes for itself: whose product a key is. */
function isDelivered(path: string): boolean {
  return !path.startsWith('.reachback/');
}

const DAY = parseDay('2026-01-01');
const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';
const FULL_ROWS = ['upload UPLOAD_PENDING', 'upload UPLOADED'];

let place: Place;
let folder: string;
let uri: string;

beforeEach(async () => {
  place = await createPlace();
  folder = join(place.workspace.root, 'delivered');
  uri = pathToFileURL(folder).href;
  await putProduct('the product');
});

async function putProduct(content: string): Promise<void> {
  const path = join(place.workspace.products, KEY);
  putFile(path, content);
  const { size: sizeBytes, mtimeMs } = statSync(path);
  const made = {
    inputSha256: 'f'.repeat(64),
    profile: 'parity',
    version: '1.0.0',
    createdAt: '2026-01-02T00:00:00.000Z',
  } as const;
  const what = { kind: 'product', product: ALL, day: DAY, path, records: 3 } as const;
  await place.ledger.putArtifact({ ...what, ...made, sizeBytes, mtimeMs, sha256: sha256(content) });
}

const delivered = (): string => join(folder, KEY);
const upload = (run = 'workflow-run-1', uploadTo: string | null = uri) =>
  tryStage(place, 'uploadProduct', dayAttempt({ day: DAY, stages: ['upload'], options: { uploadTo }, run }));

test('S3-1, S3-3: delivered at its key, recorded, told', async () => {
  expect(await upload()).toMatchObject({
    productBytes: 11,
    deliveredTo: `${uri}/${KEY}`,
    productPath: join(place.workspace.products, KEY),
  });
  expect(readFileSync(delivered(), 'utf8')).toBe('the product');
  const [facts] = await place.ledger.dayFacts(ALL, DAY, DAY, uri);
  expect(facts?.delivery).toMatchObject({ key: KEY, destination: uri, sha256: sha256('the product') });
  expect(await place.rows()).toEqual(FULL_ROWS);
  expect(place.telemetry()).toContain(`${uri},${KEY}\r\n`);
});

test('the order of effects: told before, delivered, recorded, told', async () => {
  let stood: string[] = [];
  place.before('putDelivery', () => {
    stood = filesBelow(folder).filter(isDelivered);
  });
  await upload();
  expect(stood).toEqual([KEY]);
  expect(place.effects).toEqual(['openStage', 'telemetry', 'putDelivery', 'closeStage', 'telemetry']);
});

test('twice: no transfer, one row', async () => {
  const first = await upload();
  const before = identity(delivered());
  expect(await upload()).toEqual({ ...first, seconds: expect.any(Number) as number });
  expect(identity(delivered())).toEqual(before);
  expect(await place.rows()).toEqual(FULL_ROWS);
});

test.for(['putDelivery', 'closeStage'])(
  'killed right before %s: the next try transfers nothing and records it',
  async (effect) => {
    place.before(effect, () => {
      throw KILLED;
    });
    await expect(upload()).rejects.toThrow(KILLED.message);
    const before = identity(delivered());
    place.calm();
    await upload();
    expect(identity(delivered())).toEqual(before);
    expect(filesBelow(folder).filter(isDelivered)).toEqual([KEY]);
    expect(await place.rows()).toEqual(FULL_ROWS);
    const [facts] = await place.ledger.dayFacts(ALL, DAY, DAY, uri);
    expect(facts?.delivery).toMatchObject({ key: KEY });
  },
);

test('the same content, put there by somebody else: no transfer', async () => {
  putFile(delivered(), 'the product');
  const before = identity(delivered());
  await upload();
  expect(identity(delivered())).toEqual(before);
});

test('SAFE-11: other content at the key is kept before it is replaced', async () => {
  await upload();
  await putProduct('a newer product');
  await upload('workflow-run-2');
  expect(readFileSync(delivered(), 'utf8')).toBe('a newer product');
  const [backup, ...others] = filesBelow(join(folder, '_backup'));
  expect(others).toEqual([]);
  expect(backup?.endsWith(KEY)).toBe(true);
  expect(readFileSync(join(folder, '_backup', backup!), 'utf8')).toBe('the product');
});

test('two destinations are two deliveries', async () => {
  const second = pathToFileURL(join(place.workspace.root, 'second')).href;
  await upload();
  await upload('workflow-run-1', second);
  const deliveries = await Promise.all([uri, second].map((base) => place.ledger.dayFacts(ALL, DAY, DAY, base)));
  expect(deliveries.map(([facts]) => facts?.delivery?.destination)).toEqual([uri, second]);
  expect(await place.rows()).toEqual([...FULL_ROWS, ...FULL_ROWS]);
});

test('SAFE-11: what the options say of replacing reaches the destination, with a way to stop it', async () => {
  const asked: { delivery: Delivery; hooks: DeliveryHooks | undefined }[] = [];
  class Watched extends FileDestination {
    override deliver(delivery: Delivery, hooks?: DeliveryHooks): Promise<DeliveryResult> {
      asked.push({ delivery, hooks });
      return super.deliver(delivery, hooks);
    }
    override recordedAs(key: string): { bucket: string; key: string } {
      return { bucket: 'a-bucket', key: `a-prefix/${key}` };
    }
  }
  const activities = createActivities({ ...place.deps, destinationAt: () => new Watched(folder) });
  const options = { uploadTo: 's3://a-bucket/a-prefix', replace: true, backupPrefix: 'old' };
  await tryStage({ ...place, activities }, 'uploadProduct', dayAttempt({ day: DAY, stages: ['upload'], options }));
  expect(asked).toHaveLength(1);
  expect(asked[0]?.delivery).toMatchObject({ key: KEY, owner: ALL, replace: true, backupPrefix: 'old' });
  expect(asked[0]?.hooks?.signal).toBeInstanceOf(AbortSignal);
  expect(place.telemetry()).toContain(`a-bucket,a-prefix/${KEY}\r\n`);
});

describe('what cannot be delivered', () => {
  test('a product that was changed after it was built: nothing is delivered', async () => {
    writeFileSync(join(place.workspace.products, KEY), 'the pr0duct');
    expect(await failureOf(upload())).toMatchObject({ type: 'checksum_mismatch', nonRetryable: true });
    expect(filesBelow(folder)).toEqual([]);
    expect(await place.rows()).toEqual(['upload UPLOAD_PENDING']);
  });

  test('a product that is gone', async () => {
    rmSync(join(place.workspace.products, KEY));
    expect(await failureOf(upload())).toMatchObject({ type: 'input_invalid', nonRetryable: true });
  });

  test('a destination that refuses: tried again, with what to do; nothing half delivered', async () => {
    writeFileSync(folder, 'a file where a folder should be');
    const failure = await failureOf(upload());
    expect(failure).toMatchObject({ type: 'storage_unavailable', nonRetryable: false });
    expect(failure.message).toContain(folder);
    expect(failure.details?.[0]).toHaveProperty('hint', expect.stringContaining('writable'));
    rmSync(folder);
    await upload();
    expect(filesBelow(folder).filter((path) => isTemporary(path))).toEqual([]);
    expect(await place.rows()).toEqual(FULL_ROWS);
  });

  test('a day without a product', async () => {
    place = await createPlace();
    const failure = await failureOf(upload());
    expect(failure).toMatchObject({ type: 'input_invalid', nonRetryable: true });
    expect(failure.message).toContain(DAY);
  });

  test('an upload without a destination is a bug of ours', async () => {
    expect(await failureOf(upload('workflow-run-1', null))).toMatchObject({
      type: 'invariant_broken',
      nonRetryable: true,
    });
    expect(place.effects).toEqual([]);
  });
});
