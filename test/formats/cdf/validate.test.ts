/**
 * The checker: silent on sound files of any writer, loud on each kind of damage (cdf-format.md §7, §10 "negative files").
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { utcToTt2000, validateCdf } from '../../../src/formats/cdf/index.ts';
import type { AttributeValue, CdfSchema, CdfType, CdfValues, CdfVariable } from '../../../src/formats/cdf/index.ts';
import { runPython } from '../../support/python.ts';
import { schemaOf, variable, writeCase } from './cases.ts';
import { dumpWithReaders } from './dumps.ts';
import { operate } from './surgery.ts';
import type { Anatomy } from './surgery.ts';

const SAMPLE = join(import.meta.dirname, '../../fixtures/cdf/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-validate-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function rulesOf(path: string, istp = false): Promise<string[]> {
  const { findings } = await validateCdf(path, { istp });
  return [...new Set(findings.map(({ severity, rule }) => `${severity} ${rule}`))].toSorted();
}

test('nothing to say about the structure of files of libcdf, cdflib and CDFpp', async () => {
  const made = (await runPython('make_files.py', [folder])).split('\n').filter(Boolean);
  expect(made.length).toBeGreaterThan(20);
  for (const path of [...made, SAMPLE]) expect([path, await rulesOf(path)]).toEqual([path, []]);
});

describe('damage to the structure', () => {
  let sound: string;
  beforeAll(async () => {
    sound = await writeCase(folder, {
      name: 'sound',
      schema: schemaOf(
        [
          variable('first', 'CDF_TIME_TT2000', { attributes: [['A', 'x']] }),
          variable('packed', 'CDF_DOUBLE', { dims: [16], gzipLevel: 4, attributes: [['A', 'y']] }),
        ],
        { globalAttributes: [['G', ['one', 'two']]] },
      ),
      options: { checksum: false, blockBytes: 256 },
      values: { first: BigInt64Array.of(1n, 2n, 3n), packed: new Float64Array(16 * 8) },
    });
  });

  test('the file before the damage is sound', async () => {
    expect(await validateCdf(sound, { istp: false })).toMatchObject({
      isValid: true,
      findings: [],
      checksum: 'absent',
      variables: 2,
    });
  });

  const gap = (bytes: Buffer, find: Anatomy): void => {
    bytes.writeInt32BE(3, find('VXR', 1) + 28 + 4); // block of records 2..3 begins at 3
  };
  /** The VXR of `packed`, at the end of the file, with another number of slots. */
  const vxrOf11 = (bytes: Buffer, find: Anatomy): Buffer => {
    const [old, eof] = [find('VXR', 1), bytes.length];
    const vxr = Buffer.alloc(28 + 16 * 11, 0xff);
    vxr.writeBigInt64BE(BigInt(vxr.length), 0);
    vxr.writeInt32BE(6, 8);
    vxr.writeBigInt64BE(0n, 12);
    vxr.writeInt32BE(11, 20);
    vxr.writeInt32BE(4, 24);
    bytes.copy(vxr, 28, old + 28, old + 28 + 16);
    bytes.copy(vxr, 28 + 44, old + 28 + 28, old + 28 + 28 + 16);
    bytes.copy(vxr, 28 + 88, old + 28 + 56, old + 28 + 56 + 32);
    bytes.writeInt32BE(-1, old + 8); // the old one becomes unused space
    for (const field of [28, 36]) bytes.writeBigInt64BE(BigInt(eof), find('zVDR', 1) + field);
    bytes.writeBigInt64BE(BigInt(eof + vxr.length), find('GDR') + 36);
    return Buffer.concat([bytes, vxr]);
  };
  /** Block 0 of `packed` as a zlib stream of the same length. */
  const zlibWrapper = (bytes: Buffer, find: Anatomy): void => {
    const block = find('CVVR');
    const size = Number(bytes.readBigInt64BE(block + 16));
    const wrapped = deflateSync(Buffer.alloc(256));
    Buffer.concat([wrapped, Buffer.alloc(size)]).copy(bytes, block + 24, 0, size);
  };

  /** Block 0 of `packed` as other gzip bytes, at the end of the file. */
  const blockOf =
    (...parts: readonly Uint8Array[]) =>
    (bytes: Buffer, find: Anatomy): Buffer => {
      const packed = Buffer.concat(parts);
      const block = Buffer.alloc(24 + packed.length);
      block.writeBigInt64BE(BigInt(block.length), 0);
      block.writeInt32BE(13, 8);
      block.writeBigInt64BE(BigInt(packed.length), 16);
      packed.copy(block, 24);
      bytes.writeInt32BE(-1, find('CVVR') + 8); // the old one becomes unused space
      bytes.writeBigInt64BE(BigInt(bytes.length), find('VXR', 1) + 28 + 8 * 7);
      bytes.writeBigInt64BE(BigInt(bytes.length + block.length), find('GDR') + 36);
      return Buffer.concat([bytes, block]);
    };
  const half = gzipSync(Buffer.alloc(128));
  const whole = gzipSync(Buffer.alloc(256));
  /** The same member with a file name, a comment, an extra field and a checksum in its head. */
  const wordy = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3]),
    Buffer.from([3, 0, 1, 2, 3]),
    Buffer.from('name\0comment\0'),
    Buffer.alloc(2),
    whole.subarray(10),
  ]);
  wordy.writeUInt16LE(crc32(wordy.subarray(0, 10 + 5 + 13)) & 0xffff, 10 + 5 + 13);

  test('a block moved to the end of the file, or with a wordy gzip head, is sound', async () => {
    for (const block of [whole, wordy]) {
      const path = await operate(sound, 'moved', blockOf(block));
      expect(await rulesOf(path)).toEqual([]);
    }
  });

  const DAMAGE: readonly (readonly [
    what: string,
    rule: string,
    change: Parameters<typeof operate>[2],
    libcdf: 'refuses' | 'reads' | 'crashes',
  ])[] = [
    ['VXR of 11 slots', 'structure.index', vxrOf11, 'refuses'],
    [
      'blocking factor 0',
      'structure.blocking_factor',
      (bytes, find) => void bytes.writeInt32BE(0, find('zVDR', 1) + 80),
      'refuses',
    ],
    ['zlib wrapper', 'structure.corrupted', zlibWrapper, 'refuses'],
    ['block of two gzip members', 'structure.gzip_member', blockOf(half, half), 'refuses'],
    ['block that begins with an empty member', 'structure.gzip_member', blockOf(gzipSync(''), whole), 'refuses'],
    ['block with bytes behind its member', 'structure.gzip_member', blockOf(whole, Buffer.from('more')), 'reads'],
    ['gzip level 0', 'structure.gzip_level', (bytes, find) => void bytes.writeInt32BE(0, find('CPR') + 24), 'refuses'],
    [
      'attribute without elements',
      'structure.elements',
      (bytes, find) => void bytes.writeInt32BE(0, find('AgrEDR') + 32),
      'refuses',
    ],
    ['gap between blocks', 'structure.corrupted', gap, 'reads'],
    [
      'end of file beyond the file',
      'structure.truncated',
      (bytes, find) => void bytes.writeBigInt64BE(BigInt(bytes.length + 16), find('GDR') + 36),
      'refuses',
    ],
    [
      'end of file inside a record',
      'structure.corrupted',
      (bytes, find) => void bytes.writeBigInt64BE(BigInt(bytes.length - 16), find('GDR') + 36),
      'refuses',
    ],
    ['bytes after the end', 'structure.end', (bytes) => Buffer.concat([bytes, Buffer.alloc(3)]), 'reads'],
    [
      'record type 99',
      'structure.record_type',
      (bytes, find) => void bytes.writeInt32BE(99, find('CVVR', 1) + 8),
      'refuses',
    ],
    [
      'variable list that bites its tail',
      'structure.corrupted',
      (bytes, find) => void bytes.writeBigInt64BE(BigInt(find('zVDR')), find('zVDR', 1) + 12),
      'refuses',
    ],
    [
      'index that bites its tail',
      'structure.corrupted',
      (bytes, find) => void bytes.writeBigInt64BE(BigInt(find('VXR', 1)), find('VXR', 1) + 12),
      'crashes',
    ],
    [
      'one variable fewer than counted',
      'structure.corrupted',
      (bytes, find) => void bytes.writeInt32BE(3, find('GDR') + 60),
      'refuses',
    ],
    [
      'variable out of number',
      'structure.number',
      (bytes, find) => void bytes.writeInt32BE(7, find('zVDR', 1) + 68),
      'refuses',
    ],
    [
      'entry number twice',
      'structure.entries',
      (bytes, find) => void bytes.writeInt32BE(0, find('AgrEDR', 1) + 28),
      'refuses',
    ],
    [
      'entry of another attribute',
      'structure.entries',
      (bytes, find) => void bytes.writeInt32BE(1, find('AgrEDR') + 20),
      'reads',
    ],
    [
      'entry for a variable that is not there',
      'structure.entries',
      (bytes, find) => void bytes.writeInt32BE(5, find('AzEDR', 1) + 28),
      'refuses',
    ],
    [
      'lost entries',
      'structure.unreachable',
      (bytes, find) => {
        bytes.writeBigInt64BE(0n, find('AgrEDR') + 12);
        bytes.writeInt32BE(1, find('ADR') + 36);
        bytes.writeInt32BE(0, find('ADR') + 40);
      },
      'reads',
    ],
    ['umlaut in a name', 'structure.name', (bytes, find) => void bytes.write('fürst', find('zVDR') + 84), 'refuses'],
    [
      'two elements of a number',
      'structure.elements',
      (bytes, find) => void bytes.writeInt32BE(2, find('zVDR') + 64),
      'refuses',
    ],
    ['data type 99', 'structure.corrupted', (bytes, find) => void bytes.writeInt32BE(99, find('zVDR') + 20), 'refuses'],
    [
      'leap seconds of tomorrow',
      'structure.leap_seconds',
      (bytes, find) => void bytes.writeInt32BE(20300101, find('GDR') + 76),
      'refuses',
    ],
    [
      'flipped bit in a compressed block',
      'structure.corrupted',
      (bytes, find) => void (bytes[find('CVVR', 1) + 40]! ^= 4),
      'refuses',
    ],
  ];

  test.for(DAMAGE)('%s: %s', async ([what, rule, change]) => {
    const path = await operate(sound, what.replaceAll(' ', '-'), change);
    const report = await validateCdf(path, { istp: false });
    expect(report.isValid).toBe(false);
    expect(report.findings.map((finding) => finding.rule)).toContain(rule);
  });

  test('NASA’s library refuses the same files, but for what it does not look at', async () => {
    const survived = DAMAGE.filter(([, , , libcdf]) => libcdf !== 'crashes');
    const paths: string[] = [];
    for (const [what, , change] of survived) paths.push(await operate(sound, what.replaceAll(' ', '-'), change));
    const verdicts = await dumpWithReaders(paths, ['spacepy']); // the others follow a list that bites its tail for ever
    const found = paths.map((path) => (verdicts.get(path)!.spacepy.error === undefined ? 'reads' : 'refuses'));
    expect(survived.map(([what], i) => [what, found[i]])).toEqual(survived.map(([what, , , libcdf]) => [what, libcdf]));
  });
});

test('a wrong checksum is found here and by libcdf, and by no other reader', async () => {
  const path = await writeCase(folder, {
    name: 'checked',
    schema: schemaOf([variable('v', 'CDF_INT4')]),
    values: { v: Int32Array.of(1, 2, 3) },
  });
  const flipped = await operate(path, 'flipped', (bytes) => void (bytes[bytes.length - 17]! ^= 1));
  expect(await validateCdf(path, { istp: false })).toMatchObject({ isValid: true, checksum: 'ok' });
  expect(await validateCdf(flipped, { istp: false })).toMatchObject({
    isValid: false,
    checksum: 'mismatch',
    findings: [{ severity: 'error', rule: 'structure.checksum_mismatch' }],
  });
  const { spacepy, cdflib, pycdfpp } = (await dumpWithReaders([flipped])).get(flipped)!;
  expect(spacepy.error).toMatch(/CHECKSUM_ERROR/);
  expect([cdflib.error, pycdfpp.error]).toEqual([undefined, undefined]);
});

test('what is no file is an error of the file system, not a finding', async () => {
  await expect(validateCdf(join(folder, 'no.cdf'))).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('ISTP rules', () => {
  const number = (type: CdfType, value: number | bigint): AttributeValue => ({ type, values: [value] });
  const NAME = 'demo_h0_fluxes_20250904_v1';

  const GLOBALS: NonNullable<CdfSchema['globalAttributes']> = Object.entries({
    Data_type: 'H0>High resolution',
    Data_version: '1',
    Descriptor: 'FLUX>Particle fluxes',
    Discipline: 'Space Physics>Magnetospheric Science',
    Instrument_type: 'Particles (space)',
    Logical_file_id: NAME,
    Logical_source: 'demo_h0_fluxes',
    Logical_source_description: 'Demo',
    Mission_group: 'Demo',
    PI_affiliation: 'Nobody',
    PI_name: 'N. N.',
    Project: 'DEMO>Demonstration',
    Source_name: 'DEMO>Demonstration',
    TEXT: 'Nothing.',
    Acknowledgement: ' ',
    Generated_by: 'a test',
    Generation_date: '20250905',
    HTTP_LINK: 'https://example.org',
    LINK_TEXT: 'see',
    LINK_TITLE: 'Demo',
    MODS: 'none',
    Rules_of_use: 'none',
    TITLE: 'Demo',
  }).map(([name, text]) => [name, [text]] as const);

  function attributes(more: Record<string, AttributeValue | undefined>): NonNullable<CdfVariable['attributes']> {
    const all = { CATDESC: 'A variable', FORMAT: 'E12.4', ...more };
    return Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  }

  const TIME = {
    FIELDNAM: 'Epoch',
    VAR_TYPE: 'support_data',
    UNITS: 'ns',
    LABLAXIS: 'Epoch',
    FILLVAL: number('CDF_TIME_TT2000', -(2n ** 63n)),
    VALIDMIN: number('CDF_TIME_TT2000', 0n),
    VALIDMAX: number('CDF_TIME_TT2000', 10n ** 18n),
  };
  const FLUX = {
    FIELDNAM: 'flux',
    VAR_TYPE: 'data',
    UNITS: 'nT',
    DEPEND_0: 'Epoch',
    DEPEND_1: 'sensor',
    LABL_PTR_1: 'labels',
    DISPLAY_TYPE: 'spectrogram',
    FILLVAL: number('CDF_DOUBLE', -1e31),
    VALIDMIN: number('CDF_DOUBLE', 0),
    VALIDMAX: number('CDF_DOUBLE', 100),
    LABLAXIS: 'flux',
  };
  const SENSOR = {
    FIELDNAM: 'sensor',
    VAR_TYPE: 'support_data',
    UNITS: ' ',
    LABLAXIS: 'sensor',
    FILLVAL: number('CDF_INT4', -(2 ** 31)),
  };
  const LABELS = { FIELDNAM: 'labels', VAR_TYPE: 'metadata', FILLVAL: ' ' };

  interface Change {
    readonly name?: string;
    readonly globals?: Record<string, string | undefined>;
    readonly time?: Record<string, AttributeValue | undefined>;
    readonly flux?: Record<string, AttributeValue | undefined>;
    readonly sensor?: Record<string, AttributeValue | undefined>;
    readonly labels?: Record<string, AttributeValue | undefined>;
    readonly values?: Partial<Record<'Epoch' | 'flux', CdfValues>>;
    readonly sensors?: number;
  }

  const START = utcToTt2000('2025-09-04T00:00:00Z');

  async function write({
    name = NAME,
    globals = {},
    time,
    flux,
    sensor,
    labels,
    values = {},
    sensors = 3,
  }: Change): Promise<string> {
    const schema = schemaOf(
      [
        variable('Epoch', 'CDF_TIME_TT2000', { attributes: attributes({ ...TIME, ...time }) }),
        variable('sensor', 'CDF_INT4', {
          dims: [sensors],
          recordVarying: false,
          attributes: attributes({ ...SENSOR, ...sensor }),
        }),
        variable('labels', 'CDF_CHAR', {
          elements: 2,
          dims: [3],
          recordVarying: false,
          attributes: attributes({ ...LABELS, ...labels }),
        }),
        variable('flux', 'CDF_DOUBLE', { dims: [3], attributes: attributes({ ...FLUX, ...flux }) }),
      ],
      {
        globalAttributes: GLOBALS.flatMap(([key, texts]) => {
          const text = key in globals ? globals[key] : texts[0];
          return text === undefined ? [] : [[key, [text]] as const];
        }),
      },
    );
    const content = {
      Epoch: BigInt64Array.of(START, START + 5_000_000_000n),
      sensor: Int32Array.from({ length: sensors }, (_, i) => i),
      labels: ['s1', 's2', 's3'],
      flux: Float64Array.of(1, 2, 3, 4, -1e31, 6),
      ...values,
    };
    return writeCase(folder, { name, schema, values: content });
  }

  test('a compliant file: nothing to say, neither here nor from spacepy', async () => {
    const path = await write({});
    expect(await rulesOf(path, true)).toEqual([]);
    expect(JSON.parse(await runPython('istp.py', [path]))).toEqual([]);
  });

  const BREACHES: readonly (readonly [what: string, finding: string, change: Change])[] = [
    ['a required global attribute is missing', 'error istp.global_required', { globals: { PI_name: undefined } }],
    ['a recommended one is missing', 'warning istp.global_recommended', { globals: { TITLE: undefined } }],
    ['no long form', 'warning istp.long_form', { globals: { Descriptor: 'FLUX' } }],
    ['links without texts', 'warning istp.links', { globals: { LINK_TEXT: undefined } }],
    ['Logical_file_id is another name', 'error istp.file_id', { globals: { Logical_file_id: 'other' } }],
    ['Logical_source does not begin the name', 'error istp.logical_source', { globals: { Logical_source: 'fluxes' } }],
    ['no date in the name', 'error istp.file_date', { name: 'demo_h0_fluxes_v1' }],
    ['capitals in the name', 'warning istp.file_case', { name: 'Demo_h0_fluxes_20250904_v1' }],
    ['no CATDESC', 'error istp.required', { flux: { CATDESC: undefined } }],
    ['no FORMAT', 'error istp.required', { sensor: { FORMAT: undefined } }],
    ['a CATDESC of 81 characters', 'warning istp.length', { flux: { CATDESC: 'x'.repeat(81) } }],
    ['another FIELDNAM', 'warning istp.fieldnam', { flux: { FIELDNAM: 'Flux' } }],
    ['an unknown VAR_TYPE', 'error istp.var_type', { flux: { VAR_TYPE: 'date' } }],
    ['numbers as metadata', 'error istp.var_type', { sensor: { VAR_TYPE: 'metadata' } }],
    ['text as support_data', 'error istp.var_type', { labels: { VAR_TYPE: 'support_data', UNITS: ' ' } }],
    ['no UNITS', 'error istp.units', { flux: { UNITS: undefined } }],
    ['UNITS and UNIT_PTR', 'error istp.units', { flux: { UNIT_PTR: 'labels' } }],
    ['no FILLVAL', 'error istp.fillval', { flux: { FILLVAL: undefined } }],
    ['FILLVAL of another type', 'error istp.fillval', { flux: { FILLVAL: number('CDF_FLOAT', -1e31) } }],
    [
      'FILLVAL of another value',
      'error istp.fillval',
      { flux: { FILLVAL: number('CDF_DOUBLE', -999) }, values: { flux: Float64Array.of(1, 2, 3, 4, 5, 6) } },
    ],
    ['no VALIDMAX', 'error istp.valid_range', { flux: { VALIDMAX: undefined } }],
    ['VALIDMIN of another type', 'error istp.valid_range', { flux: { VALIDMIN: number('CDF_INT4', 0) } }],
    ['VALIDMIN above VALIDMAX', 'error istp.valid_range', { flux: { VALIDMIN: number('CDF_DOUBLE', 200) } }],
    [
      'FILLVAL in the valid range',
      'error istp.valid_range',
      { flux: { VALIDMIN: number('CDF_DOUBLE', -Number.MAX_VALUE) } },
    ],
    [
      'a value outside the valid range',
      'error istp.valid_range',
      { values: { flux: Float64Array.of(1, 2, 3, 4, 101, 6) } },
    ],
    [
      'two values of a range for three elements',
      'error istp.valid_range',
      { flux: { VALIDMIN: { type: 'CDF_DOUBLE', values: [0, 0] } } },
    ],
    ['no DEPEND_0', 'error istp.depend', { flux: { DEPEND_0: undefined } }],
    ['DEPEND_0 that is no time', 'error istp.depend', { flux: { DEPEND_0: 'sensor' } }],
    ['DEPEND_1 of another size', 'error istp.depend', { sensors: 4 }],
    ['DEPEND_2 without a second dimension', 'error istp.depend', { flux: { DEPEND_2: 'sensor' } }],
    ['LABL_PTR_1 that is no text', 'error istp.depend', { flux: { LABL_PTR_1: 'sensor' } }],
    ['a pointer to nothing', 'error istp.pointer', { flux: { DEPEND_1: 'nothing' } }],
    ['DELTA_PLUS_VAR of another type', 'error istp.delta', { flux: { DELTA_PLUS_VAR: 'sensor' } }],
    ['no label on data', 'error istp.label', { flux: { LABLAXIS: undefined, LABL_PTR_1: undefined } }],
    ['no label on support data', 'warning istp.label', { sensor: { LABLAXIS: undefined } }],
    ['an unknown SCALETYP', 'error istp.scaletyp', { flux: { SCALETYP: 'cubic' } }],
    ['no DISPLAY_TYPE', 'error istp.display_type', { flux: { DISPLAY_TYPE: undefined } }],
    ['an unknown DISPLAY_TYPE', 'error istp.display_type', { flux: { DISPLAY_TYPE: 'film' } }],
    ['a time series of arrays', 'warning istp.display_type', { flux: { DISPLAY_TYPE: 'time_series' } }],
    ['fewer records than times', 'error istp.record_count', { values: { flux: Float64Array.of(1, 2, 3) } }],
    ['times that do not increase', 'error istp.time_order', { values: { Epoch: BigInt64Array.of(START, START) } }],
    ['a time that is fill', 'error istp.time_fill', { values: { Epoch: BigInt64Array.of(-(2n ** 63n), START) } }],
    [
      'times of another day',
      'error istp.time_day',
      { values: { Epoch: BigInt64Array.of(START, START + 86_400_000_000_000n) } },
    ],
  ];

  test.for(BREACHES)('%s: %s', async ([, finding, change]) => {
    expect(await rulesOf(await write(change), true)).toContain(finding);
  });

  test('NaN in data of another writer', async () => {
    const path = await write({});
    const withNan = await operate(path, NAME, (bytes, find) => {
      bytes.writeDoubleLE(Number.NaN, find('VVR', 3) + 12);
    });
    expect(await rulesOf(withNan, true)).toContain('error istp.nan');
  });

  test('the published product shows just its known departures', async () => {
    const copy = join(folder, 'reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');
    await copyFile(SAMPLE, copy);
    expect(await rulesOf(copy, true)).toEqual([
      'error istp.logical_source', // the level stands between (CDF-D19)
      'error istp.valid_range', // the range is all of float64 (CDF-D8)
      'error istp.var_type', // numeric metadata
      'warning istp.display_type', // time_series of arrays
      'warning istp.global_recommended',
      'warning istp.label', // Epoch
    ]);
  });
});
