/**
 * Damaged input is refused with a typed error: no crash, no hang, no allocation that a corrupt length asked for.
 */
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CdfReader, FormatError, readCdf } from '../../../src/formats/cdf/index.ts';
import { runPython } from '../../support/python.ts';
import { schemaOf, variable, writeCase } from './cases.ts';
import type { Case } from './cases.ts';
import { createRandom, mutate, readDamaged } from './mutate.ts';
import { operate } from './surgery.ts';
import type { Anatomy } from './surgery.ts';

const SAMPLE = join(import.meta.dirname, '../../fixtures/cdf/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');

const SMALL: Omit<Case, 'name' | 'options'> = {
  schema: schemaOf(
    [
      variable('plain', 'CDF_INT4', { dims: [2, 3], attributes: [['A', 'x']] }),
      variable('packed', 'CDF_DOUBLE', { dims: [16], gzipLevel: 4 }),
      variable('text', 'CDF_CHAR', { elements: 4, recordVarying: false }),
    ],
    { globalAttributes: [['G', ['one', 'two']]] },
  ),
  values: { plain: Int32Array.from({ length: 12 }, (_, i) => i), packed: new Float64Array(16 * 8), text: ['word'] },
};

let folder: string;
let checked: string;
let unchecked: string;
/** Files of other writers. */
let foreign: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-damaged-'));
  checked = await writeCase(folder, { name: 'checked', ...SMALL, options: { blockBytes: 256 } });
  unchecked = await writeCase(folder, { name: 'unchecked', ...SMALL, options: { blockBytes: 256, checksum: false } });
});
beforeAll(async () => {
  foreign = (await runPython('make_files.py', [folder])).split('\n').filter(Boolean);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('no damage goes unnoticed', () => {
  test('a flipped bit anywhere in a file with a checksum', async () => {
    const bytes = await readFile(checked);
    const path = join(folder, 'flipped.cdf');
    for (let at = 0; at < bytes.length; at += 3) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      await writeFile(path, flipped);
      const error: unknown = await readCdf(path).catch((caught: unknown) => caught);
      expect(error, `byte ${at}`).toBeInstanceOf(FormatError);
    }
  });

  test('a file cut off anywhere, with a checksum or without', async () => {
    for (const source of [checked, unchecked]) {
      const path = join(folder, 'cut.cdf');
      await writeFile(path, await readFile(source));
      for (let length = (await readFile(path)).length - 1; length >= 0; length -= length < 16 ? 1 : 11) {
        await truncate(path, length);
        await expect(readCdf(path), `${length} bytes`).rejects.toMatchObject({
          name: 'FormatError',
          kind: /truncated|corrupted|not_cdf/,
        });
      }
    }
  });

  test('a flipped bit in a compressed block, without a checksum', async () => {
    const path = await operate(unchecked, 'block', (bytes, find) => void (bytes[find('CVVR') + 24 + 18]! ^= 1));
    await expect(readCdf(path)).rejects.toMatchObject({ kind: 'corrupted', offset: expect.any(Number) });
  });
});

describe('what is wrong is named', () => {
  const field = (bytes: Buffer, at: number, value: number | bigint): void => {
    if (typeof value === 'bigint') bytes.writeBigInt64BE(value, at);
    else bytes.writeInt32BE(value, at);
  };
  const DAMAGE: readonly (readonly [
    what: string,
    kind: string,
    message: RegExp,
    change: (bytes: Buffer, find: Anatomy) => Buffer | void,
  ])[] = [
    ['an empty file', 'not_cdf', /magic numbers/, () => Buffer.alloc(0)],
    ['a text file', 'not_cdf', /got 2268656c6c6f222c/, () => Buffer.from('"hello", world\n')],
    ['CDF version 2', 'unsupported', /CDF version 2/, (bytes) => field(bytes, 0, 0xcdf26002 - 2 ** 32)],
    ['version 4 in the CDR', 'corrupted', /version in the CDR/, (bytes) => field(bytes, 8 + 20, 4)],
    ['floating point of a VAX', 'unsupported', /encoding.*IEEE/, (bytes) => field(bytes, 8 + 28, 3)],
    ['an unknown encoding', 'corrupted', /encoding/, (bytes) => field(bytes, 8 + 28, 99)],
    ['no GDR where the CDR says', 'corrupted', /type of a record.*GDR \(2\)/, (bytes) => field(bytes, 8 + 12, 8n)],
    ['a GDR beyond the file', 'corrupted', /pointer to a record/, (bytes) => field(bytes, 8 + 12, 2n ** 40n)],
    ['a pointer of 2^60', 'corrupted', /less than 2\^53/, (bytes) => field(bytes, 8 + 12, 2n ** 60n)],
    ['a record of negative size', 'corrupted', /size of a record/, (bytes, find) => field(bytes, find('zVDR'), -1n)],
    [
      'a record larger than the file',
      'corrupted',
      /size of a record/,
      (bytes, find) => field(bytes, find('VXR'), 2n ** 50n),
    ],
    [
      'a record too small for its type',
      'corrupted',
      /size of a zVDR.*at least 344/,
      (bytes, find) => field(bytes, find('zVDR'), 100n),
    ],
    [
      'two variables of one name',
      'corrupted',
      /names of variables/,
      (bytes, find) => void bytes.write('plain\0', find('zVDR', 1) + 84),
    ],
    [
      'a dimension of zero',
      'corrupted',
      /dimensions of plain.*at least 1/,
      (bytes, find) => field(bytes, find('zVDR') + 344, 0),
    ],
    [
      'a billion dimensions',
      'corrupted',
      /dimensions of plain/,
      (bytes, find) => field(bytes, find('zVDR') + 340, 10 ** 9),
    ],
    [
      'dimensions past 2^53',
      'corrupted',
      /below 2\^53|at least/,
      (bytes, find) => {
        field(bytes, find('zVDR') + 344, 2 ** 31 - 1);
        field(bytes, find('zVDR') + 348, 2 ** 31 - 1);
      },
    ],
    [
      'records of 8 GiB',
      'corrupted',
      /values of plain.*at least/,
      (bytes, find) => field(bytes, find('zVDR') + 344, 2 ** 29),
    ],
    [
      '2^31 - 1 records',
      'corrupted',
      /index of plain.*blocks up to record/,
      (bytes, find) => field(bytes, find('zVDR') + 24, 2 ** 31 - 2),
    ],
    [
      'a block of 2^31 - 1 records',
      'corrupted',
      /values of plain.*at least/,
      (bytes, find) => {
        field(bytes, find('zVDR') + 24, 2 ** 31 - 2);
        field(bytes, find('VXR') + 28 + 28, 2 ** 31 - 2);
      },
    ],
    [
      'a compressed block of 2^31 - 1 records',
      'corrupted',
      /compressed values.*which cannot be that/,
      (bytes, find) => {
        field(bytes, find('zVDR', 1) + 24, 2 ** 31 - 2);
        field(bytes, find('VXR', 1) + 24, 1);
        field(bytes, find('VXR', 1) + 28 + 28, 2 ** 31 - 2);
      },
    ],
    [
      'sparse with 2^31 - 1 records',
      'unsupported',
      /bytes of missing records/,
      (bytes, find) => {
        field(bytes, find('zVDR') + 24, 2 ** 31 - 2);
        field(bytes, find('zVDR') + 48, 1);
      },
    ],
    ['sparse of an unknown kind', 'corrupted', /sparse records/, (bytes, find) => field(bytes, find('zVDR') + 48, 7)],
    [
      'two blocks in one place',
      'corrupted',
      /blocks that do not overlap/,
      (bytes, find) => void bytes.copyWithin(find('VXR', 1) + 92, find('VXR', 1) + 84, find('VXR', 1) + 92),
    ],
    [
      'a block listed twice',
      'corrupted',
      /a block from record 2/,
      (bytes, find) => field(bytes, find('VXR', 1) + 32, 0),
    ],
    [
      'an index of a billion entries',
      'corrupted',
      /index of plain/,
      (bytes, find) => field(bytes, find('VXR') + 20, 10 ** 9),
    ],
    [
      'an index that leads to itself',
      'corrupted',
      /a loop/,
      (bytes, find) => field(bytes, find('VXR') + 12, BigInt(find('VXR'))),
    ],
    [
      'an entry that leads to its own index',
      'corrupted',
      /a loop/,
      (bytes, find) => field(bytes, find('VXR') + 84, BigInt(find('VXR'))),
    ],
    [
      'a variable that follows itself',
      'corrupted',
      /list of zVDRs.*more/,
      (bytes, find) => field(bytes, find('zVDR', 2) + 12, BigInt(find('zVDR'))),
    ],
    [
      'a billion variables',
      'corrupted',
      /list of zVDRs \(at byte 404\): expected 1000000000 records, got 3/,
      (bytes, find) => field(bytes, find('GDR') + 60, 10 ** 9),
    ],
    [
      'an entry of 2^31 - 1 elements',
      'corrupted',
      /value of an attribute/,
      (bytes, find) => field(bytes, find('AgrEDR') + 32, 2 ** 31 - 1),
    ],
    ['an unknown data type', 'corrupted', /data type.*got 3/, (bytes, find) => field(bytes, find('zVDR') + 20, 3)],
    ['Huffman compression', 'unsupported', /Huffman \(2\)/, (bytes, find) => field(bytes, find('CPR') + 12, 2)],
    ['an unknown compression', 'corrupted', /compression.*got 4/, (bytes, find) => field(bytes, find('CPR') + 12, 4)],
    [
      'a compressed length of 2^50',
      'corrupted',
      /compressed block/,
      (bytes, find) => field(bytes, find('CVVR') + 16, 2n ** 50n),
    ],
    [
      'text of 2^31 - 1 bytes',
      'corrupted',
      /pad value|values of text/,
      (bytes, find) => field(bytes, find('zVDR', 2) + 64, 2 ** 31 - 1),
    ],
  ];

  test.for(DAMAGE)('%s: %s', async ([what, kind, message, change]) => {
    const path = await operate(unchecked, what.replaceAll(/\W+/g, '-'), change);
    const reading = readCdf(path);
    await expect(reading).rejects.toMatchObject({ name: 'FormatError', kind });
    await expect(reading).rejects.toThrow(message);
  });

  test.for(['spacepy-whole-gzip', 'spacepy-whole-rle'])('%s with an unpacked size that cannot be', async (name) => {
    const bytes = await readFile(foreign.find((path) => path.endsWith(`${name}.cdf`))!);
    const path = join(folder, 'whole.cdf');
    for (const size of [-4_294_815_889n, -1n, 0n, 8n, 2n ** 40n]) {
      bytes.writeBigInt64BE(size, 8 + 20);
      await writeFile(path, bytes);
      await expect(readCdf(path), `${size}`).rejects.toMatchObject({ name: 'FormatError', kind: 'corrupted' });
    }
  });

  test('a wrong name or range of the caller', async () => {
    const reader = await CdfReader.open(unchecked);
    await expect(reader.read('flux')).rejects.toThrow(/variable: expected one of plain, packed, text, got "flux"/);
    for (const range of [{ first: -1 }, { first: 3 }, { count: 3 }, { first: 1, count: 2 }, { first: 0.5 }]) {
      await expect(reader.read('plain', range)).rejects.toMatchObject({ kind: 'value_invalid' });
    }
    await reader.close();
  });

  test('a gap is no number: a file of 3 GiB of nothing is refused at once', async () => {
    const path = join(folder, 'zeros.cdf');
    const file = await open(path, 'w');
    await file.truncate(3 * 2 ** 30);
    await file.close();
    await expect(readCdf(path)).rejects.toMatchObject({ kind: 'not_cdf' });
  });
});

describe('damage at random to files of all writers is read or refused', () => {
  /** Damaged forms of each file; `scripts/fuzz-cdf.ts` tries many more. */
  const FORMS = 40;
  /** Twice what the allowance for missing records alone may take. */
  const MOST_BYTES = 128 * 2 ** 20;

  test('and never costs memory that the file does not justify', async () => {
    const path = join(folder, 'mutated.cdf');
    const outcomes = { read: 0, refused: 0 };
    for (const [i, source] of [...foreign, SAMPLE, unchecked].entries()) {
      const bytes = await readFile(source);
      for (let form = 0; form < FORMS; form++) {
        await writeFile(path, mutate(bytes, createRandom(form * 1000 + i)));
        try {
          outcomes[await readDamaged(path)]++;
        } catch (cause) {
          throw new Error(`${basename(source)}, seed ${form * 1000 + i}`, { cause });
        }
        expect(process.memoryUsage().arrayBuffers, `${basename(source)}, seed ${form * 1000 + i}`).toBeLessThan(
          MOST_BYTES,
        );
      }
    }
    expect(outcomes.refused).toBeGreaterThan(FORMS);
    expect(outcomes.read).toBeGreaterThan(FORMS);
  });
});
