/**
 * The proof by independent readers (cdf-format.md §10, CDF-23): what was written is what cdflib, CDFpp and NASA's libcdf
 * find, bit for bit. Expected values come from the input, never from our own reader.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectedDump, writeCase } from './cases.ts';
import { dumpWithOurs, dumpWithReaders, READERS } from './dumps.ts';
import type { FileDump, Reader, Verdict } from './dumps.ts';
import { MATRIX } from './matrix.ts';

/** What a reader cannot show of what it read correctly. */
function asSeenBy(reader: Reader, expected: FileDump): FileDump {
  const variables = expected.variables.map(({ pad, ...rest }) => (reader === 'spacepy' ? { ...rest, pad } : rest));
  return { ...expected, variables };
}

describe('CDF-23: three independent readers find what was written, bit for bit', () => {
  let folder: string;
  let verdicts: Map<string, Record<Reader, Verdict>>;
  const paths = new Map<string, string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cdf-readers-'));
    for (const example of MATRIX) paths.set(example.name, await writeCase(folder, example));
    verdicts = await dumpWithReaders([...paths.values()]);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  describe.for(MATRIX.map((example) => [example.name, example] as const))('%s', ([name, example]) => {
    test.for(READERS)('%s', (reader) => {
      const { dump, error } = verdicts.get(paths.get(name)!)![reader];
      expect(error).toBeUndefined();
      expect(dump).toEqual(asSeenBy(reader, expectedDump(example)));
    });

    test('our own reader', async () => {
      const { variables, ...rest } = await dumpWithOurs(paths.get(name)!);
      const expected = expectedDump(example);
      expect(rest).toEqual({ globals: expected.globals, attributes: expected.attributes });
      expect(variables).toEqual(asSeenBy('cdflib', expected).variables);
    });
  });
});
