/** Whatever is written is read: any types, shapes, texts, blocks and batches. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CdfWriter, readCdf } from '../../../src/formats/cdf/index.ts';
import type { CdfValues, CdfVariable } from '../../../src/formats/cdf/index.ts';
import { NUMERIC_TYPES, sampleNumbers, schemaOf, variable } from './cases.ts';
import { encode } from './dumps.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-roundtrip-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** No NUL at the end, no lone surrogate: neither survives, as readers strip the one and UTF-8 lacks the other. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 6 })
  .filter((value) => !value.endsWith('\0') && value.isWellFormed());

const column = fc.record({
  type: fc.constantFrom(...NUMERIC_TYPES),
  dims: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  gzipLevel: fc.constantFrom(0 as const, 1 as const, 6 as const),
  records: fc.nat({ max: 60 }),
  recordVarying: fc.boolean(),
  isDeclared: fc.boolean(),
  batch: fc.integer({ min: 1, max: 25 }),
});

test('numbers of every type, in blocks and batches of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(column, { maxLength: 6 }),
      fc.integer({ min: 1, max: 400 }),
      async (columns, blockBytes) => {
        const path = join(folder, 'numbers.cdf');
        const variables: CdfVariable[] = columns.map(
          ({ type, dims, gzipLevel, records, recordVarying, isDeclared }, i) =>
            variable(`v${i}`, type, {
              dims,
              gzipLevel,
              recordVarying,
              ...(isDeclared && { records: recordVarying ? records : 1 }),
            }),
        );
        const writer = await CdfWriter.open(path, schemaOf(variables), { blockBytes });
        const written = new Map<string, CdfValues>();
        for (const [i, { type, dims, records, recordVarying, batch }] of columns.entries()) {
          const count = (recordVarying ? records : 1) * dims.reduce((product, size) => product * size, 1);
          const values = sampleNumbers(type, count);
          written.set(`v${i}`, values);
          const width = values.length / Math.max(1, recordVarying ? records : 1);
          for (let at = 0; at < values.length; at += batch * width)
            await writer.append(`v${i}`, values.subarray(at, at + batch * width));
        }
        await writer.close();
        const { variables: found } = await readCdf(path);
        for (const [name, values] of written) {
          expect(found.get(name)?.values.constructor).toBe(values.constructor);
          expect(encode(found.get(name)!.values)).toBe(encode(values));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('texts, in variables and attributes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 20 }), fc.boolean(), async (texts, isPacked) => {
      const path = join(folder, 'texts.cdf');
      const elements = Math.max(1, ...texts.map((value) => Buffer.byteLength(value)));
      const labels = variable('labels', 'CDF_CHAR', { elements, gzipLevel: isPacked ? 4 : 0 });
      const writer = await CdfWriter.open(path, schemaOf([labels], { globalAttributes: [['Texts', texts]] }), {
        blockBytes: 40,
      });
      await writer.append('labels', texts);
      await writer.close();
      const { variables, globalAttributes } = await readCdf(path);
      expect(variables.get('labels')?.values).toEqual(texts);
      const stored = texts.map((value) => (value === '' ? ' ' : value));
      expect(globalAttributes.get('Texts')?.entries.map(({ value }) => value)).toEqual(stored);
    }),
    { numRuns: 60 },
  );
});
