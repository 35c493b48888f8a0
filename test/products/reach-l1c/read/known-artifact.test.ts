/**
 * A recorded file is not hashed again as long as its size and time are the recorded ones, and only then.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordCollector } from '../../../../src/products/reach-l1c/assemble/collector.ts';
import { readArtifact } from '../../../../src/products/reach-l1c/read/artifact.ts';
import type { KnownArtifact } from '../../../../src/products/reach-l1c/read/artifact.ts';
import { CSV_SAMPLE } from '../support.ts';

const RECORDED = 'as recorded';
const ACTUAL = createHash('sha256').update(readFileSync(CSV_SAMPLE)).digest('hex');

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'known-artifact-'));
  path = join(folder, 'day.csv');
  copyFileSync(CSV_SAMPLE, path);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function known(): KnownArtifact {
  const { size, mtimeMs } = statSync(path);
  return { sizeBytes: size, mtimeMs, sha256: RECORDED };
}

function read(recorded?: KnownArtifact, onProgress: () => void = () => undefined): { sha256: string; records: number } {
  const collector = new RecordCollector();
  const { sha256 } = readArtifact(path, 'csv', collector, onProgress, recorded);
  return { sha256, records: collector.records };
}

test('size and time as recorded: the recorded hash, and the same records', () => {
  expect(read(known())).toEqual({ sha256: RECORDED, records: read().records });
});

test('another time or size than recorded, or nothing recorded: the hash of what is there', () => {
  const { mtimeMs, sizeBytes } = known();
  expect(read({ ...known(), mtimeMs: mtimeMs - 1 }).sha256).toBe(ACTUAL);
  expect(read({ ...known(), sizeBytes: sizeBytes + 1 }).sha256).toBe(ACTUAL);
  expect(read().sha256).toBe(ACTUAL);
});

test('SAFE-7: a file that is changed while it is read is refused', () => {
  expect(() => read(known(), () => utimesSync(path, 0, 1))).toThrow(
    expect.objectContaining({ kind: 'checksum_mismatch' }),
  );
});
