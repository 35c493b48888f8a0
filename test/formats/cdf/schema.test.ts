/** What the writer refuses before it writes (cdf-format.md §2 "Names", §10). */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CdfWriter } from '../../../src/formats/cdf/index.ts';
import type { CdfSchema, CdfType, CdfVariable, CdfWriteOptions } from '../../../src/formats/cdf/index.ts';
import { schemaOf, variable } from './cases.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-schema-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function withVariable(more: Partial<CdfVariable>, type: CdfType = 'CDF_DOUBLE'): CdfSchema {
  return schemaOf([variable('flux', type, more)]);
}

function withName(name: string): CdfSchema {
  return schemaOf([variable(name, 'CDF_INT1')]);
}

const REFUSED: readonly (readonly [what: string, schema: CdfSchema, message: RegExp, options?: CdfWriteOptions])[] = [
  ['an empty name', withName(''), /variable name: expected 1 to 255 printable ASCII/],
  ['a name with an umlaut', withName('größe'), /got "größe"/],
  ['a name of 256 bytes', withName('x'.repeat(256)), /variable name/],
  ['a name that ends with a space', withName('flux '), /the last not a space/],
  ['a name twice', schemaOf([variable('a', 'CDF_INT1'), variable('a', 'CDF_INT2')]), /"a" twice/],
  ['an attribute name with a line feed', schemaOf([], { globalAttributes: [['a\nb', ['x']]] }), /attribute name/],
  [
    'a global attribute twice',
    schemaOf([], {
      globalAttributes: [
        ['A', ['x']],
        ['A', ['y']],
      ],
    }),
    /"A" twice/,
  ],
  [
    'one name for a global and a variable attribute',
    { ...withVariable({ attributes: [['A', 'x']] }), globalAttributes: [['A', ['y']]] },
    /"A" twice/,
  ],
  [
    'two values of an attribute on a variable',
    withVariable({
      attributes: [
        ['A', 'x'],
        ['A', 'y'],
      ],
    }),
    /attribute A of variable flux: expected one value/,
  ],
  [
    'an unknown type',
    withVariable({}, 'CDF_UINT8' as CdfType),
    /variable flux: type: expected a CDF data type, got CDF_UINT8/,
  ],
  [
    'an unknown type of an attribute',
    withVariable({ attributes: [['A', { type: 'toString' as CdfType, values: [1] }]] }),
    /got toString/,
  ],
  [
    'a dimension of zero',
    withVariable({ dims: [3, 0] }),
    /variable flux: dims: expected at most 10 whole numbers of at least 1, got \[3, 0\]/,
  ],
  ['half a dimension', withVariable({ dims: [1.5] }), /dims/],
  ['eleven dimensions', withVariable({ dims: Array.from({ length: 11 }, () => 1) }), /dims/],
  ['a record of more than 1 GiB', withVariable({ dims: [2 ** 20, 2 ** 10] }), /records of at most 2\^30 bytes/],
  ['text without a length', withVariable({}, 'CDF_CHAR'), /variable flux: elements: expected bytes per text/],
  ['text of no length', withVariable({ elements: 0 }, 'CDF_CHAR'), /elements/],
  ['a length for numbers', withVariable({ elements: 2 }), /elements: expected none for a numeric type, got 2/],
  ['gzip level 9', withVariable({ gzipLevel: 9 as 6 }), /gzipLevel: expected 0 to 6, got 9/],
  ['no variables', {} as CdfSchema, /variables: expected a list, got undefined/],
  ['nothing', null as never, /schema: expected an object with variables, got null/],
  [
    'global attributes as an object',
    { globalAttributes: {} as never, variables: [] },
    /globalAttributes: expected a list/,
  ],
  [
    'a global attribute that is no pair',
    schemaOf([], { globalAttributes: ['Project'] as never }),
    /global attribute: expected a pair of name and list of values, got "Project"/,
  ],
  [
    'one value where a list belongs',
    schemaOf([], { globalAttributes: [['Project', 'x']] as never }),
    /global attribute Project: expected a list of values, got "x"/,
  ],
  [
    'a bare number as value',
    withVariable({ attributes: [['FILLVAL', -1]] as never }),
    /attribute FILLVAL of variable flux: expected text, or numbers as \{ type: 'CDF_…', values: \[…\] \}, got -1/,
  ],
  [
    'variable attributes as an object',
    withVariable({ attributes: { UNITS: 'nT' } as never }),
    /attributes: expected a list/,
  ],
  [
    'a variable attribute that is no pair',
    withVariable({ attributes: ['UNITS'] as never }),
    /a pair of name and value/,
  ],
  [
    'a variable without a name',
    schemaOf([{} as CdfVariable]),
    /variable: expected an object with a name, got an object/,
  ],
  [
    'a variable that does not say whether it varies',
    schemaOf([{ name: 'flux', type: 'CDF_DOUBLE' } as CdfVariable]),
    /variable flux: recordVarying: expected true or false, got undefined/,
  ],
  ['no type', withVariable({}, null as never), /variable flux: type: expected the name of a CDF data type/],
  [
    'a size that is no list',
    withVariable({ dims: 3 as never }),
    /variable flux: dims: expected a list of sizes, got 3/,
  ],
  [
    'an unknown padding',
    withVariable({ charPadding: 'zero' as 'nul' }),
    /charPadding: expected "nul" or "space", got "zero"/,
  ],
  ['an unknown overflow', withVariable({ charOverflow: 'cut' as 'truncate' }), /charOverflow/],
  ['an unknown order', withVariable({ monotonic: 'loose' as 'strict' }), /monotonic: expected "strict", got "loose"/],
  ['half a record', withVariable({ records: 1.5 }), /variable flux: records: expected 0 to 2147483647, got 1.5/],
  ['fewer records than none', withVariable({ records: -1 }), /records/],
  ['more records than can be numbered', withVariable({ records: 2 ** 31 }), /records/],
  [
    'two records where there is one',
    withVariable({ records: 2, recordVarying: false }),
    /variable flux: records: expected 1, as it does not vary with records, got 2/,
  ],
  ['a time axis with dimensions', withVariable({ monotonic: 'strict', dims: [2] }), /monotonic/],
  ['a time axis that does not vary', withVariable({ monotonic: 'strict', recordVarying: false }), /monotonic/],
  ['a time axis of text', withVariable({ monotonic: 'strict', elements: 3 }, 'CDF_CHAR'), /monotonic/],
  ['a pad of another type', withVariable({ pad: 'x' }), /pad: expected a value of CDF_DOUBLE, got "x"/],
  ['a pad out of range', withVariable({ pad: 300 }, 'CDF_INT1'), /pad: expected a value of CDF_INT1, got 300/],
  ['a pad of half an EPOCH16', withVariable({ pad: 1 }, 'CDF_EPOCH16'), /pairs of seconds and picoseconds/],
  [
    'a pad that is too long',
    withVariable({ pad: 'long', elements: 3 }, 'CDF_CHAR'),
    /pad: expected text of at most 3 bytes/,
  ],
  [
    'an attribute without values',
    withVariable({ attributes: [['A', { type: 'CDF_INT4', values: [] }]] }),
    /attribute A of variable flux: expected at least one value/,
  ],
  [
    'an attribute value out of range',
    withVariable({ attributes: [['A', { type: 'CDF_UINT2', values: [65536] }]] }),
    /expected a value of CDF_UINT2, got 65536/,
  ],
  [
    'a fraction in an integer attribute',
    withVariable({ attributes: [['A', { type: 'CDF_INT4', values: [1.5] }]] }),
    /got 1.5/,
  ],
  [
    'an unsafe integer for 64 bits',
    withVariable({ attributes: [['A', { type: 'CDF_INT8', values: [2 ** 60] }]] }),
    /a bigint or a safe integer/,
  ],
  ['65 bits', withVariable({ attributes: [['A', { type: 'CDF_INT8', values: [2n ** 63n] }]] }), /at most 64 bits/],
  [
    'a bigint that no double holds',
    withVariable({ attributes: [['A', { type: 'CDF_DOUBLE', values: [2n ** 53n + 1n] }]] }),
    /at most 2\^53/,
  ],
  [
    'a copyright of 257 bytes',
    schemaOf([], { copyright: 'ä'.repeat(129) }),
    /copyright: expected at most 256 bytes, got 258/,
  ],
  ['blocks of no bytes', schemaOf([]), /blockBytes/, { blockBytes: 0 }],
];

test.for(REFUSED)('refuses %s, and leaves nothing on disk', async ([, schema, message, options]) => {
  const opening = CdfWriter.open(join(folder, 'x.cdf'), schema, options);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.toMatchObject({
    name: 'FormatError',
    kind: expect.stringMatching(/^(schema|value)_invalid$/),
  });
  expect(await readdir(folder)).toEqual([]);
});
