/** Two files compared by meaning. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diffCdf } from '../../../src/formats/cdf/index.ts';
import type { CdfDiffOptions, CdfDifference, CdfSchema, CdfValues } from '../../../src/formats/cdf/index.ts';
import { runPython } from '../../support/python.ts';
import { schemaOf, variable, writeCase } from './cases.ts';
import type { Case } from './cases.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-diff-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const VARIABLES = [
  variable('time', 'CDF_TIME_TT2000'),
  variable('flux', 'CDF_DOUBLE', {
    dims: [2, 3],
    attributes: [
      ['UNITS', 'nT'],
      ['CATDESC', 'flux'],
    ],
  }),
  variable('labels', 'CDF_CHAR', { elements: 5, dims: [2], recordVarying: false }),
  variable('epoch16', 'CDF_EPOCH16', { dims: [2] }),
];
const SCHEMA = schemaOf(VARIABLES, {
  globalAttributes: [
    ['Project', ['a', 'b']],
    ['Version', ['1']],
  ],
});
const VALUES: Record<string, CdfValues> = {
  time: BigInt64Array.of(1n, 2n, 3n),
  flux: Float64Array.from({ length: 18 }, (_, i) => i),
  labels: ['left', 'right'],
  epoch16: Float64Array.from({ length: 12 }, (_, i) => i),
};

async function compare(
  schema: CdfSchema,
  values: Case['values'],
  more: Partial<Case> = {},
  options: CdfDiffOptions = {},
): Promise<readonly CdfDifference[]> {
  const a = await writeCase(folder, { name: 'a', schema: SCHEMA, values: VALUES });
  const b = await writeCase(folder, { name: 'b', schema, values, ...more });
  return diffCdf(a, b, options);
}

function withValue(name: string, index: number, value: number | bigint): Case['values'] {
  const changed = (VALUES[name] as Float64Array).slice();
  changed[index] = value as number;
  return { ...VALUES, [name]: changed };
}

test('equal content, stored in another way: no difference', async () => {
  const packed = { ...SCHEMA, variables: VARIABLES.map((each) => ({ ...each, gzipLevel: 6 as const })) };
  expect(await compare(packed, VALUES, { options: { checksum: false, blockBytes: 64 } })).toEqual([]);
});

test('byte order, majority and writer make no difference', async () => {
  const made = (await runPython('make_files.py', [folder])).split('\n').filter(Boolean);
  const [plain, network, column, packed] = ['plain', 'network-checksum', 'column', 'ppc-column-gzip'].map((name) =>
    made.find((path) => path.endsWith(`spacepy-${name}.cdf`))!,
  ) as [string, string, string, string];
  for (const other of [network, column, packed]) expect([other, await diffCdf(plain, other)]).toEqual([other, []]);
});

test.for<[what: string, schema: CdfSchema, values: Case['values'], expected: readonly Partial<CdfDifference>[]]>([
  [
    'one value',
    SCHEMA,
    withValue('flux', 10, 99),
    [{ kind: 'values', where: 'flux[1][1][1]', what: '1 of 18 values, at most 89 apart', a: '10', b: '99' }],
  ],
  ['the sign of zero', SCHEMA, withValue('flux', 0, -0), [{ kind: 'values', where: 'flux[0][0][0]', a: '0', b: '-0' }]],
  ['one nanosecond', SCHEMA, withValue('time', 2, 4n), [{ kind: 'values', where: 'time[2]', a: '3', b: '4' }]],
  ['picoseconds', SCHEMA, withValue('epoch16', 7, 0), [{ kind: 'values', where: 'epoch16[1][1]', a: '7', b: '0' }]],
  [
    'text',
    SCHEMA,
    { ...VALUES, labels: ['left', 'wrong'] },
    [{ kind: 'values', where: 'labels[0][1]', what: '1 of 2 values', a: '"right"', b: '"wrong"' }],
  ],
  [
    'records',
    SCHEMA,
    { ...VALUES, time: BigInt64Array.of(1n, 2n) },
    [{ kind: 'variable', where: 'time', what: 'records', a: '3', b: '2' }],
  ],
  [
    'a type',
    schemaOf([variable('time', 'CDF_INT8'), ...VARIABLES.slice(1)], SCHEMA),
    VALUES,
    [{ kind: 'variable', where: 'time', what: 'type', a: 'CDF_TIME_TT2000', b: 'CDF_INT8' }],
  ],
  [
    'a pad',
    { ...SCHEMA, variables: [{ ...VARIABLES[0]!, pad: 5n }, ...VARIABLES.slice(1)] },
    VALUES,
    [{ kind: 'variable', where: 'time', what: 'pad', b: '5' }],
  ],
  [
    'a variable and its place',
    { ...SCHEMA, variables: [VARIABLES[2]!, VARIABLES[1]!, VARIABLES[3]!] },
    { labels: VALUES['labels']!, flux: VALUES['flux']!, epoch16: VALUES['epoch16']! },
    [
      { kind: 'variables', where: 'variables', what: 'order', a: 'flux, labels, epoch16', b: 'labels, flux, epoch16' },
      { kind: 'variables', where: 'time', what: 'variable', a: 'present', b: 'absent' },
    ],
  ],
  [
    'an entry',
    {
      ...SCHEMA,
      globalAttributes: [
        ['Project', ['a', 'c']],
        ['Version', ['1']],
      ],
    },
    VALUES,
    [{ kind: 'global_attribute', where: 'Project' }],
  ],
  [
    'a missing attribute',
    { ...SCHEMA, globalAttributes: [['Project', ['a', 'b']]] },
    VALUES,
    [{ kind: 'global_attribute', where: 'Version', a: '0: CDF_CHAR "1"', b: 'absent' }],
  ],
  [
    'the order of attributes',
    { ...SCHEMA, globalAttributes: SCHEMA.globalAttributes!.toReversed(), variableAttributeOrder: ['CATDESC'] },
    VALUES,
    [
      { kind: 'attribute_order', where: 'global attributes' },
      { kind: 'attribute_order', where: 'variable attributes', a: 'UNITS, CATDESC' },
    ],
  ],
  [
    'the type of an attribute',
    {
      ...SCHEMA,
      variables: [
        VARIABLES[0]!,
        {
          ...VARIABLES[1]!,
          attributes: [
            ['UNITS', 'nT'],
            ['CATDESC', { type: 'CDF_INT2', values: [1] }],
          ],
        },
        ...VARIABLES.slice(2),
      ],
    },
    VALUES,
    [{ kind: 'variable_attribute', where: 'flux.CATDESC', a: 'CDF_CHAR "flux"', b: 'CDF_INT2 1' }],
  ],
])('finds a difference in %s', async ([, schema, values, expected]) => {
  const found = await compare(schema, values);
  expect(found).toHaveLength(expected.length);
  expect(found).toMatchObject(expected);
});

test.for<[what: string, value: number, options: CdfDiffOptions, isEqual: boolean]>([
  ['inside an absolute tolerance', 10.5, { absolute: 0.5 }, true],
  ['outside an absolute tolerance', 10.6, { absolute: 0.5 }, false],
  ['inside a relative tolerance', 10.1, { relative: 0.01 }, true],
  ['outside a relative tolerance', 10.2, { relative: 0.01 }, false],
  ['infinite, whatever the tolerance', Infinity, { absolute: 1e300, relative: 1 }, false],
])('a value %s', async ([, value, options, isEqual]) => {
  expect((await compare(SCHEMA, withValue('flux', 10, value), {}, options)).length === 0).toBe(isEqual);
});

test('attributes can be left out', async () => {
  const other = {
    ...SCHEMA,
    globalAttributes: [
      ['Project', ['a', 'b']],
      ['Version', ['2']],
    ],
  } as const;
  expect(await compare(other, VALUES, {}, { ignoreAttributes: ['Version'] })).toEqual([]);
});
