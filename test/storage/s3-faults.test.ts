/**
 * The S3 fault table: what one fault on the way to a real server does to a delivery that the engine tries again, in
 * requests, transfers and objects. Printed at the end.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { isPipelineError } from '../../src/core/errors.ts';
import type { PipelineError } from '../../src/core/errors.ts';
import { parseDestination } from '../../src/storage/destination.ts';
import type { Delivery } from '../../src/storage/destination.ts';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import { startFaultProxy } from '../support/s3/fault-proxy.ts';
import type { FaultProxy, FaultRule } from '../support/s3/fault-proxy.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import type { S3Server } from '../support/s3/versitygw.ts';

const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';
const SIZE = 3 << 20;
const PRODUCT = Buffer.alloc(SIZE, 'the product of a day ');
/** Of faults that do not wait for it; of those that do. */
const PATIENT_MS = 30_000;
const IMPATIENT_MS = 2_500;
const MOST_ATTEMPTS = 3;

let server: S3Server;
let client: S3Client;
let proxy: FaultProxy;
let folder: string;
let delivery: Delivery;
const table: string[][] = [['fault', 'attempts', 'requests', 'outcome', 'bodies received', 'objects']];

beforeAll(async () => {
  server = await startS3Server();
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  client = testClient(server);
  proxy = await startFaultProxy(server.endpoint);
  folder = await mkdtemp(join(tmpdir(), 'reachback-s3-faults-'));
  const sourcePath = join(folder, 'product.cdf');
  await writeFile(sourcePath, PRODUCT);
  const sha256 = createHash('sha256').update(PRODUCT).digest('hex');
  delivery = { sourcePath, sizeBytes: SIZE, sha256, key: KEY, owner: 'reach-all/quicklook', replace: true };
}, 600_000);

afterAll(async () => {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  console.log(`S3 fault table, a product of ${SIZE} bytes:\n${lines.join('\n')}`);
  await proxy.close();
  client.destroy();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

interface Course {
  /** Of each attempt, in order. */
  readonly requests: string[];
  /** Error kind of each attempt that failed, then how it ended. */
  readonly outcome: string[];
  readonly errors: PipelineError[];
  /** Whole products that reached the server. */
  readonly transfers: number;
  /** Objects at the end by key, with their content. */
  readonly objects: Map<string, Buffer>;
}

/** Delivers as the engine does: again after errors that may get better, each fault once. */
async function deliverThrough(name: string, faults: readonly FaultRule[], former?: string): Promise<Course> {
  const bucket = await createBucket(client);
  if (former !== undefined) await bucket.put(KEY, former);
  const destination = parseDestination(`s3://${bucket.name}`, {
    endpoint: proxy.url,
    region: null,
    timeoutMs: faults.some(({ fault }) => fault.kind === 'silence') ? IMPATIENT_MS : PATIENT_MS,
  });
  const course = { requests: [] as string[], outcome: [] as string[], errors: [] as PipelineError[] };
  proxy.setFaults(faults);
  proxy.takeRequests();
  const before = proxy.bodyBytes();
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    const ended = await destination.deliver(delivery).catch((error: unknown) => error as PipelineError);
    course.requests.push(proxy.takeRequests().join(' '));
    if (!(ended instanceof Error)) {
      course.outcome.push(ended.status);
      break;
    }
    if (!isPipelineError(ended)) throw ended;
    course.outcome.push(ended.kind);
    course.errors.push(ended);
    if (ended.retry !== 'later') break;
  }
  destination.close();
  const transfers = Math.floor((proxy.bodyBytes() - before) / SIZE);
  const keys = await bucket.keys();
  const objects = new Map(await Promise.all(keys.map(async (key) => [key, (await bucket.read(key))!] as const)));
  const shown = keys.map((key) => (objects.get(key)!.equals(PRODUCT) ? 'whole' : key === KEY ? 'former' : 'backup'));
  const { requests, outcome } = course;
  table.push([
    name,
    `${requests.length}`,
    requests.join(' | '),
    outcome.join(', '),
    `${transfers}`,
    shown.join(' + ') || 'none',
  ]);
  return { ...course, transfers, objects };
}

interface FaultCase {
  readonly name: string;
  readonly faults: readonly FaultRule[];
  readonly requests: readonly string[];
  readonly outcome: readonly string[];
  readonly transfers: number;
}

const NEW = 'HEAD PUT HEAD';
const LATER = 'storage_unavailable';

const RECOVERED: readonly FaultCase[] = [
  { name: 'no fault', faults: [], requests: [NEW], outcome: ['written'], transfers: 1 },
  {
    name: 'PUT carried out, its answer lost',
    faults: [{ method: 'PUT', fault: { kind: 'lose_answer' } }],
    requests: [NEW],
    outcome: ['written'],
    transfers: 1,
  },
  {
    name: 'PUT carried out, answered 500',
    faults: [{ method: 'PUT', fault: { kind: 'status_after', status: 500 } }],
    requests: [NEW],
    outcome: ['written'],
    transfers: 1,
  },
  {
    name: 'PUT carried out, answered 503',
    faults: [{ method: 'PUT', fault: { kind: 'status_after', status: 503 } }],
    requests: [NEW],
    outcome: ['written'],
    transfers: 1,
  },
  {
    name: 'answers of PUT and of the look after it lost',
    faults: [
      { method: 'PUT', fault: { kind: 'lose_answer' } },
      { method: 'HEAD', skip: 1, fault: { kind: 'lose_answer' } },
    ],
    requests: [NEW, 'HEAD'],
    outcome: [LATER, 'already_there'],
    transfers: 1,
  },
  {
    name: 'PUT fine, the look after it answered 503',
    faults: [{ method: 'HEAD', skip: 1, fault: { kind: 'status', status: 503 } }],
    requests: [NEW, 'HEAD'],
    outcome: [LATER, 'already_there'],
    transfers: 1,
  },
  {
    name: 'body cut after 1 MB',
    faults: [{ method: 'PUT', fault: { kind: 'cut_body', afterBytes: 1 << 20 } }],
    requests: [NEW, NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'body cut one byte before its end',
    faults: [{ method: 'PUT', fault: { kind: 'cut_body', afterBytes: SIZE - 1 } }],
    requests: [NEW, NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'PUT answered 500, not carried out',
    faults: [{ method: 'PUT', fault: { kind: 'status', status: 500 } }],
    requests: [NEW, NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'first look answered 500',
    faults: [{ method: 'HEAD', fault: { kind: 'status', status: 500 } }],
    requests: ['HEAD', NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'no answer to the first look',
    faults: [{ method: 'HEAD', fault: { kind: 'silence' } }],
    requests: ['HEAD', NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'PUT neither read nor answered',
    faults: [{ method: 'PUT', fault: { kind: 'silence' } }],
    requests: [NEW, NEW],
    outcome: [LATER, 'written'],
    transfers: 1,
  },
  {
    name: 'a slow server, alive',
    faults: [{ method: 'PUT', fault: { kind: 'slow', chunkDelayMs: 20 } }],
    requests: [NEW],
    outcome: ['written'],
    transfers: 1,
  },
];

test.for(RECOVERED)(
  'S3 faults, $name: one object, right bytes, one transfer carried out',
  async ({ name, faults, requests, outcome, transfers }) => {
    const course = await deliverThrough(name, faults);
    expect(course.requests).toEqual(requests);
    expect(course.outcome).toEqual(outcome);
    expect(course.transfers).toBe(transfers);
    expect([...course.objects.keys()]).toEqual([KEY]);
    expect(course.objects.get(KEY)?.equals(PRODUCT)).toBe(true);
  },
);

const REPLACED: readonly (FaultCase & { readonly backups: number })[] = [
  {
    name: 'replacing, no fault',
    faults: [],
    requests: ['HEAD GET COPY HEAD PUT HEAD'],
    outcome: ['replaced'],
    transfers: 1,
    backups: 1,
  },
  {
    name: 'replacing, the answer of the copy lost',
    faults: [{ method: 'COPY', fault: { kind: 'lose_answer' } }],
    requests: ['HEAD GET COPY HEAD PUT HEAD'],
    outcome: ['replaced'],
    transfers: 1,
    backups: 1,
  },
  {
    name: 'replacing, the copy answered 500, not carried out',
    faults: [{ method: 'COPY', fault: { kind: 'status', status: 500 } }],
    requests: ['HEAD GET COPY HEAD', 'HEAD GET COPY HEAD PUT HEAD'],
    outcome: [LATER, 'replaced'],
    transfers: 1,
    backups: 1,
  },
  {
    name: 'replacing, the answer of PUT lost',
    faults: [{ method: 'PUT', fault: { kind: 'lose_answer' } }],
    requests: ['HEAD GET COPY HEAD PUT HEAD'],
    outcome: ['replaced'],
    transfers: 1,
    backups: 1,
  },
  {
    name: 'replacing, body cut: the former stays until the next attempt',
    faults: [{ method: 'PUT', fault: { kind: 'cut_body', afterBytes: 1 << 20 } }],
    requests: ['HEAD GET COPY HEAD PUT HEAD', 'HEAD GET COPY HEAD PUT HEAD'],
    outcome: [LATER, 'replaced'],
    transfers: 1,
    backups: 2,
  },
];

test.for(REPLACED)('S3 faults, $name: the former content is kept', async (one) => {
  const course = await deliverThrough(one.name, one.faults, 'the former product');
  expect(course.requests).toEqual(one.requests);
  expect(course.outcome).toEqual(one.outcome);
  expect(course.transfers).toBe(one.transfers);
  expect(course.objects.get(KEY)?.equals(PRODUCT)).toBe(true);
  const backups = [...course.objects].filter(([key]) => key !== KEY);
  expect(backups.map(([key]) => key.startsWith('_backup/'))).toEqual(Array(one.backups).fill(true));
  expect(backups.map(([, content]) => content.toString())).toEqual(Array(one.backups).fill('the former product'));
});

const xml = (code: string, message = 'the words of the server'): string =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;

interface Refusal {
  readonly name: string;
  readonly status: number;
  readonly code?: string;
  readonly headers?: Record<string, string>;
  readonly kind: string;
  readonly says: RegExp;
  readonly hint: RegExp;
  readonly retryAfterMs?: number;
}

/** As AWS answers; versitygw itself gives some of these in s3-destination.test.ts. */
const REFUSALS: readonly Refusal[] = [
  {
    name: 'denied',
    status: 403,
    code: 'AccessDenied',
    kind: 'config_invalid',
    says: /access is denied/,
    hint: /s3:PutObject/,
  },
  {
    name: 'token expired',
    status: 400,
    code: 'ExpiredToken',
    kind: LATER,
    says: /the AWS credentials have expired/,
    hint: /Renew/,
  },
  {
    name: 'clock',
    status: 403,
    code: 'RequestTimeTooSkewed',
    kind: LATER,
    says: /the clock of the worker is wrong/,
    hint: /NTP/,
  },
  {
    name: 'another region',
    status: 301,
    code: 'PermanentRedirect',
    headers: { 'x-amz-bucket-region': 'eu-north-1' },
    kind: 'config_invalid',
    says: /is in the region eu-north-1, not in us-east-1/,
    hint: /--aws-region eu-north-1/,
  },
  {
    name: 'bucket gone',
    status: 404,
    code: 'NoSuchBucket',
    kind: 'config_invalid',
    says: /there is no bucket/,
    hint: /make the bucket/,
  },
  {
    name: 'slow down',
    status: 503,
    code: 'SlowDown',
    headers: { 'retry-after': '7' },
    kind: LATER,
    says: /overloaded/,
    hint: /tries it again by itself/,
    retryAfterMs: 7_000,
  },
  {
    name: 'no conditional writes',
    status: 501,
    code: 'NotImplemented',
    kind: 'config_invalid',
    says: /conditional writes/,
    hint: /newer version/,
  },
  { name: 'full', status: 507, kind: 'disk_full', says: /no room is left/, hint: /Free some space/ },
  {
    name: 'damaged on its way',
    status: 400,
    code: 'BadDigest',
    kind: LATER,
    says: /damaged on its way/,
    hint: /again/,
  },
];

test.for(REFUSALS)(
  'S3 refusals, $name: in plain words, with what to do and whether to try again; the secret key is in no text',
  async ({ name, status, code, headers = {}, kind, says, hint, retryAfterMs }) => {
    const body = code === undefined ? '' : xml(code);
    const fault = { kind: 'status', status, headers, body } as const;
    const label = `PUT answered ${status}${code === undefined ? '' : ` ${code}`}: ${name}`;
    const { outcome, errors, objects } = await deliverThrough(label, [{ method: 'PUT', times: MOST_ATTEMPTS, fault }]);
    expect(new Set(outcome)).toEqual(new Set([kind]));
    expect(outcome).toHaveLength(kind === LATER ? MOST_ATTEMPTS : 1);
    expect(errors[0]).toMatchObject({ message: expect.stringMatching(says), hint: expect.stringMatching(hint) });
    expect(errors[0]?.retryAfterMs).toBe(retryAfterMs);
    expect(`${errors[0]?.message} ${errors[0]?.hint}`).not.toContain(server.secretAccessKey);
    expect(objects.size).toBe(0);
  },
);
