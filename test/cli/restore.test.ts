import { describe, expect, test } from 'vitest';
import { choose } from '../../src/cli/restore.ts';
import { parseDay } from '../../src/core/time/day.ts';

const DAY = parseDay('2025-09-01');

function former(version: string, hash: string, supersededAt: string, product = 'reach-all/quicklook') {
  return {
    kind: 'product',
    product,
    day: DAY,
    path: `/p/${version}.cdf`,
    sizeBytes: 1,
    sha256: hash.repeat(64),
    mtimeMs: 0,
    records: 1,
    inputSha256: null,
    profile: 'istp',
    version,
    createdAt: '2025-10-01T00:00:00.000Z',
    supersededAt,
    copies: [],
  } as const;
}

const FIRST = former('1.0.0', 'a', '2025-10-02T00:00:00.000Z');
const SECOND = former('1.0.1', 'b', '2025-10-04T00:00:00.000Z');
/** The first one, brought back and replaced again. */
const AGAIN = former('1.0.0', 'a', '2025-10-03T00:00:00.000Z');
const OTHER_PROFILE = former('1.0.0', 'c', '2025-10-05T00:00:00.000Z');

describe('which former product a restore means', () => {
  test('without more words the one that was replaced last', () => {
    expect(choose([FIRST, SECOND, AGAIN], DAY, {})).toBe(SECOND);
  });

  test('by version, also when it was there twice; by the beginning of its hash', () => {
    expect(choose([FIRST, SECOND, AGAIN], DAY, { version: '1.0.0' })).toBe(AGAIN);
    expect(choose([FIRST, SECOND, OTHER_PROFILE], DAY, { sha256: 'AAA' })).toBe(FIRST);
  });

  test.for([
    ['nothing was replaced', [], {}, /No product of 2025-09-01 was ever replaced/],
    ['no such version', [FIRST], { version: '2.0.0' }, /no former product v2\.0\.0; there is v1\.0\.0 a{12}/],
    [
      'two contents of one version',
      [FIRST, OTHER_PROFILE],
      { version: '1.0.0' },
      /has had 2 products of version 1\.0\.0/,
    ],
    [
      'two products',
      [FIRST, former('1.0.0', 'd', '2025-10-01', 'reach-101/quicklook')],
      {},
      /of reach-101\/quicklook and reach-all\/quicklook/,
    ],
    ['downloads are none', [{ ...FIRST, kind: 'download' as const }], {}, /No product/],
  ] as const)('refused, with what there is: %s', ([, files, given, says]) => {
    expect(() => choose(files, DAY, given)).toThrow(
      expect.objectContaining({
        kind: 'config_invalid',
        message: expect.stringMatching(says),
        hint: expect.any(String),
      }),
    );
  });
});
