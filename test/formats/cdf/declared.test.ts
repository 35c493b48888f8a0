/** Declared counts of records: the same file in one pass (cdf-format.md §8; CDF-D17). */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CdfWriter, readCdf } from '../../../src/formats/cdf/index.ts';
import type { CdfSchema, CdfType, CdfValues, CdfVariable, CdfWriteOptions } from '../../../src/formats/cdf/index.ts';
import { InFlight } from '../../../src/formats/cdf/in-flight.ts';
import { createColumn } from '../../../src/formats/cdf/write/column.ts';
import { createDraft } from '../../../src/formats/cdf/write/create.ts';
import { SpooledOutput } from '../../../src/formats/cdf/write/output.ts';
import { PlannedOutput } from '../../../src/formats/cdf/write/planned-output.ts';
import { sampleNumbers, schemaOf, variable } from './cases.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-declared-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

type Batch = readonly [name: string, values: CdfValues];

async function write(name: string, schema: CdfSchema, batches: readonly Batch[], options: CdfWriteOptions = {}) {
  const path = join(folder, name);
  const writer = await CdfWriter.open(path, schema, options);
  for (const [target, values] of batches) await writer.append(target, values);
  const result = await writer.close();
  const bytes = await readFile(path);
  expect(result).toEqual({ sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  return bytes;
}

function declared(schema: CdfSchema, records: Readonly<Record<string, number>>): CdfSchema {
  return { ...schema, variables: schema.variables.map((each) => ({ ...each, records: records[each.name]! })) };
}

describe('change no byte', () => {
  const TYPES = ['CDF_INT1', 'CDF_UINT2', 'CDF_FLOAT', 'CDF_DOUBLE', 'CDF_INT8', 'CDF_EPOCH16', 'CDF_CHAR'] as const;
  const shapes = fc.array(
    fc.record({
      type: fc.constantFrom(...TYPES),
      dims: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      records: fc.integer({ min: 0, max: 30 }),
      recordVarying: fc.boolean(),
      gzipLevel: fc.constantFrom(0 as const, 0 as const, 0 as const, 4 as const),
    }),
    { maxLength: 5 },
  );

  test('of a file of any shape, in batches of any size, variables in any order', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (list, step, checksum) => {
        const variables: CdfVariable[] = [];
        const counts: Record<string, number> = {};
        const whole: Batch[] = [];
        for (const [i, { type, dims, records, recordVarying, gzipLevel }] of list.entries()) {
          const isText = type === 'CDF_CHAR';
          const name = `v${i}`;
          counts[name] = recordVarying ? records : 1;
          variables.push(variable(name, type, { dims, recordVarying, gzipLevel, ...(isText && { elements: 3 }) }));
          whole.push([name, valuesOf(type, dims, counts[name])]);
        }
        const schema = schemaOf(variables, { globalAttributes: [['G', ['x', 'y']]] });
        const plain = await write('plain.cdf', schema, whole, { checksum });
        const batches = roundRobin(whole, counts, step);
        expect(await write('declared.cdf', declared(schema, counts), batches, { checksum })).toEqual(plain);
        expect(await readdir(folder)).toEqual(['declared.cdf', 'plain.cdf']);
      }),
      { numRuns: 60 },
    );
  });

  test('of values larger than what is gathered before a write', async () => {
    const schema = schemaOf([variable('a', 'CDF_DOUBLE', { dims: [1000] }), variable('b', 'CDF_INT2')]);
    const records = { a: 120, b: 300_000 };
    const [a, b] = [sampleNumbers('CDF_DOUBLE', 120_000), sampleNumbers('CDF_INT2', 300_000)];
    const plain = await write('plain.cdf', schema, [
      ['a', a],
      ['b', b],
    ]);
    const batches: Batch[] = [
      ['b', b.subarray(0, 7)],
      ['a', a.subarray(0, 1000)],
      ['a', a.subarray(1000, 90_000)],
      ['b', b.subarray(7, 131_080)],
      ['a', a.subarray(90_000)],
      ['b', b.subarray(131_080)],
    ];
    expect(await write('declared.cdf', declared(schema, records), batches)).toEqual(plain);
  });

  test('of variables with several blocks', async () => {
    const schema = declared(schemaOf([variable('a', 'CDF_INT4'), variable('b', 'CDF_INT4', { dims: [2] })]), {
      a: 16,
      b: 3,
    });
    const draft = createDraft(schema, {});
    // As of more than 1 GiB: blocks of three records instead.
    const small = { ...draft, variables: draft.variables.map((each) => ({ ...each, blockRecords: 3 })) };
    const values = { a: sampleNumbers('CDF_INT4', 16), b: sampleNumbers('CDF_INT4', 6) };
    const files = [];
    for (const Kind of [SpooledOutput, PlannedOutput]) {
      const output = await Kind.open(join(folder, `${Kind.name}.cdf`), small, true);
      const columns = [];
      for (const [num, each] of small.variables.entries()) {
        const column = createColumn(each, output.storeOf(num), new InFlight(1));
        const content = values[each.name as 'a' | 'b'];
        await column.append(new Uint8Array(content.buffer, 0, 20));
        await column.append(new Uint8Array(content.buffer, 20));
        columns.push(await column.finish());
      }
      expect(columns.map((blocks) => blocks.length)).toEqual([6, 1]);
      await output.finish(columns);
      files.push(await readFile(output.path));
      const { variables } = await readCdf(output.path);
      expect(variables.get('a')?.values).toEqual(values.a);
      await output.release();
    }
    expect(files[1]).toEqual(files[0]);
    expect(await readdir(folder)).toEqual([]);
  });
});

function valuesOf(type: CdfType, dims: readonly number[], records: number): CdfValues {
  const count = dims.reduce((product, size) => product * size, records);
  return type === 'CDF_CHAR' ? Array.from({ length: count }, (_, i) => 'abc'.slice(i % 3)) : sampleNumbers(type, count);
}

/** A few records of each variable in turns, the last variable first. */
function roundRobin(whole: readonly Batch[], counts: Readonly<Record<string, number>>, step: number): Batch[] {
  const batches: Batch[] = [];
  const most = Math.max(0, ...Object.values(counts));
  for (let first = 0; first < most; first += step) {
    for (const [name, values] of whole.toReversed()) {
      if (first >= counts[name]!) continue;
      const width = values.length / counts[name]!;
      batches.push([name, values.slice(first * width, (first + step) * width)]);
    }
  }
  return batches;
}

test('values go to their place at once, under a hidden name; without declared counts they wait in an unnamed file', async () => {
  const schema = schemaOf([variable('a', 'CDF_DOUBLE')]);
  const values = new Float64Array(100_000).fill(1.5);
  for (const [each, hidden] of [
    [declared(schema, { a: 100_000 }), 1],
    [schema, 0],
  ] as const) {
    const writer = await CdfWriter.open(join(folder, 'a.cdf'), each);
    await writer.append('a', values);
    const names = await readdir(folder);
    expect(names.filter((name) => /^\.a\.cdf\.\d+-[0-9a-f]{8}\.tmp$/.test(name))).toHaveLength(hidden);
    expect(names).toHaveLength(hidden);
    for (const name of names) expect((await stat(join(folder, name))).size).toBeGreaterThan(values.byteLength);
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  }
});

describe('are held to', () => {
  const three = declared(schemaOf([variable('a', 'CDF_INT2', { dims: [2] })]), { a: 3 });

  test('a record too many is refused when it comes', async () => {
    const writer = await CdfWriter.open(join(folder, 'a.cdf'), three);
    await writer.append('a', Int16Array.of(1, 2, 3, 4));
    const append = writer.append('a', Int16Array.of(5, 6, 7, 8));
    await expect(append).rejects.toMatchObject({ name: 'FormatError', kind: 'value_invalid' });
    await expect(append).rejects.toThrow('variable a: expected 3 records, as the schema says, got 4');
    await expect(writer.close()).rejects.toMatchObject({ kind: 'value_invalid' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('a record too few is refused at the end', async () => {
    const writer = await CdfWriter.open(join(folder, 'a.cdf'), three);
    await writer.append('a', Int16Array.of(1, 2, 3, 4));
    await expect(writer.close()).rejects.toThrow('variable a: expected 3 records, as the schema says, got 2');
    expect(await readdir(folder)).toEqual([]);
  });

  test('compressed, too', async () => {
    const packed = declared(schemaOf([variable('a', 'CDF_INT2', { gzipLevel: 1 })]), { a: 3 });
    const writer = await CdfWriter.open(join(folder, 'a.cdf'), packed);
    await writer.append('a', Int16Array.of(1, 2));
    await expect(writer.close()).rejects.toThrow(/expected 3 records/);
  });

  test('a value that would not lie where it was planned is an error, not a file', async () => {
    const draft = createDraft(three, {});
    const output = await PlannedOutput.open(join(folder, 'a.cdf'), draft, true);
    const extent = await output.storeOf(0).put(new Uint8Array(12), 0, 1);
    const block = { first: 0, last: 2, isCompressed: false, dataBytes: 12, extents: [extent] };
    await expect(output.finish([[block]])).rejects.toMatchObject({ kind: 'layout_broken' });
    await output.release();
    expect(await readdir(folder)).toEqual([]);
  });
});
