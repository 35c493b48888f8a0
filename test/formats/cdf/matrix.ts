/**
 * The matrix of files that independent readers must find right (cdf-format.md §10): types × shapes × variance ×
 * compression × 0, 1 or many records, block counts around the borders of the index, texts, attributes, names, pads.
 */
import type { AttributeValue, CdfType, CdfVariable } from '../../../src/formats/cdf/index.ts';
import { NUMERIC_TYPES, sampleNumbers, schemaOf, variable } from './cases.ts';
import type { Case } from './cases.ts';

const SHAPES = { scalar: [], row: [3], grid: [2, 3], thin: [4, 1], point: [1, 1] } as const;

/** Every numeric type in every shape, record varying and not. */
function typesCase(name: string, gzipLevel: 0 | 4, records: number): Case {
  const variables: CdfVariable[] = [];
  const values: Case['values'] = {};
  for (const type of NUMERIC_TYPES) {
    for (const [shape, dims] of Object.entries(SHAPES)) {
      const perRecord = dims.reduce((product: number, size) => product * size, 1);
      const [varying, fixed] = [`${type}_${shape}`, `${type}_${shape}_nrv`];
      variables.push(
        variable(varying, type, { dims, gzipLevel }),
        variable(fixed, type, { dims, gzipLevel, recordVarying: false }),
      );
      Object.assign(values, {
        [varying]: sampleNumbers(type, records * perRecord),
        [fixed]: sampleNumbers(type, perRecord),
      });
    }
  }
  return { name, schema: schemaOf(variables), values };
}

/** A compressed and a plain variable of `blocks` blocks; one record of 16 doubles per block. */
function blocksCase(blocks: number, extra = 0): Case {
  const records = blocks + extra;
  const level = Float64Array.from({ length: records * 16 }, (_, i) => Math.floor(i / 16));
  const dims = [16];
  const variables = [
    variable('plain', 'CDF_DOUBLE', { dims }),
    variable('packed', 'CDF_DOUBLE', { dims, gzipLevel: 1 }),
  ];
  const values = { plain: level, packed: level };
  // Two records per block when a last block is to be partly filled.
  return {
    name: `blocks-${blocks}-${extra}`,
    schema: schemaOf(variables),
    options: { blockBytes: extra ? 256 : 128 },
    values,
  };
}

const WORDS = ['a', 'bä', '日本', '', 'trailing  ', 'emoji 🚀', 'x'.repeat(31)];

function textsCase(): Case {
  const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => WORDS[i % WORDS.length]!);
  const letters = (count: number): string[] => Array.from({ length: count }, (_, i) => 'abcdefg'[i % 7]!);
  const shared = { elements: 31 };
  return {
    name: 'texts',
    schema: schemaOf([
      variable('one', 'CDF_CHAR', { elements: 1 }),
      variable('wide', 'CDF_CHAR', { elements: 256, dims: [2] }),
      variable('nul', 'CDF_CHAR', { ...shared, dims: [32] }),
      variable('space', 'CDF_CHAR', { ...shared, dims: [32, 2], charPadding: 'space' }),
      variable('fixed', 'CDF_CHAR', { ...shared, dims: [32, 2], recordVarying: false, charPadding: 'space' }),
      variable('unsigned', 'CDF_UCHAR', { ...shared, dims: [3] }),
      variable('packed', 'CDF_CHAR', { ...shared, dims: [3], gzipLevel: 6 }),
    ]),
    values: {
      one: letters(4),
      wide: texts(6),
      nul: texts(64),
      space: texts(128),
      fixed: texts(64),
      unsigned: texts(3),
      packed: texts(21),
    },
  };
}

const LONG_TEXT = 'ä line\n'.repeat(125_000); // 1,000,000 bytes

function attributesCase(): Case {
  const numbers = NUMERIC_TYPES.map((type): readonly [string, AttributeValue] => [
    `N_${type}`,
    { type, values: fewNumbers(type) },
  ]);
  const many = Array.from({ length: 300 }, (_, i) => `entry ${i}`);
  return {
    name: 'attributes',
    schema: schemaOf(
      [
        variable('first', 'CDF_DOUBLE', { attributes: [['UNITS', 'nT'], ...numbers] }),
        variable('second', 'CDF_INT4', {
          attributes: [
            ['CATDESC', 'größer'],
            ['UNITS', ' '],
          ],
        }),
        variable('third', 'CDF_INT4', {
          attributes: [
            ['EMPTY', ''],
            ['UNITS', 'after a gap'],
          ],
        }),
      ],
      {
        globalAttributes: [
          ['Space', [' ']],
          ['Empty', ['']],
          ['Quotes', ['"double" \'single\' `back` “curly” \\N \\ ,;']],
          ['Lines', ['one\ntwo\r\nthree\ttab\n']],
          ['Unicode', ['äöü 日本語 🚀', 'ΑΒΓ']],
          ['Long', [LONG_TEXT]],
          ['Three_hundred', many],
          ...numbers.map(([name, value]) => [`G_${name}`, [value, value]] as const),
          ['Mixed', ['text', { type: 'CDF_DOUBLE', values: [1.5, -0, 1e300] }, { type: 'CDF_INT2', values: [-7] }]],
        ],
      },
    ),
    values: { first: Float64Array.of(1), second: Int32Array.of(2), third: Int32Array.of(3) },
  };
}

function fewNumbers(type: CdfType): readonly (number | bigint)[] {
  return [...(sampleNumbers(type, 3) as Iterable<number | bigint>)];
}

const LONGEST_NAME = `v${'_234567890'.repeat(26)}`.slice(0, 255);
const ODD_NAME = 'a b!"#$%&\'()*+,-./:;<=>?@[\\]^`{|}~';

export const MATRIX: readonly Case[] = [
  { name: 'nothing', schema: schemaOf([]), values: {} },
  ...([0, 4] as const).flatMap((gzipLevel) =>
    [0, 1, 5].map((records) => typesCase(`types-level${gzipLevel}-records${records}`, gzipLevel, records)),
  ),
  ...[1, 7, 8, 700, 701, 5000].map((blocks) => blocksCase(blocks)),
  blocksCase(2, 1),
  textsCase(),
  attributesCase(),
  {
    name: 'names',
    schema: schemaOf([
      variable('x', 'CDF_INT1', { attributes: [[LONGEST_NAME.replace('v', 'A'), 'long']] }),
      variable(LONGEST_NAME, 'CDF_INT1', { attributes: [[ODD_NAME, 'odd']] }),
      variable(ODD_NAME, 'CDF_INT1'),
    ]),
    values: { x: Int8Array.of(1, 2), [LONGEST_NAME]: Int8Array.of(3), [ODD_NAME]: Int8Array.of(4, 5, 6) },
  },
  {
    name: 'pads',
    schema: schemaOf([
      variable('double', 'CDF_DOUBLE', { pad: -7.5 }),
      variable('long', 'CDF_INT8', { pad: 2n ** 62n }),
      variable('epoch16', 'CDF_EPOCH16', { pad: [63_000_000_000, 5e11] }),
      variable('text', 'CDF_CHAR', { elements: 3, pad: 'n/a' }),
    ]),
    values: { double: Float64Array.of(1), long: BigInt64Array.of(1n), epoch16: Float64Array.of(1, 2), text: ['abc'] },
  },
  { ...typesCase('no-checksum', 0, 2), options: { checksum: false } },
  {
    name: 'incompressible',
    schema: schemaOf([variable('noise', 'CDF_UINT1', { dims: [4096], gzipLevel: 6 })]),
    options: { blockBytes: 4096 },
    values: {
      noise: Uint8Array.from({ length: 3 * 4096 }, (_, i) => (Math.imul(i ^ 0x5bd1e995, 0x2c1b3c6d) >>> 13) & 255),
    },
  },
];
