import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DECIMAL_PATTERN, readDecimal } from '../../../../src/products/reach-l1c/read/decimal.ts';

function read(text: string): number {
  const bytes = Buffer.from(`#${text}#`);
  return readDecimal(bytes, 1, bytes.length - 1);
}

const RUNS = { numRuns: 20_000 };

describe('doubles are those of Number(), bit for bit', () => {
  test('for every finite double in its shortest form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(read(String(value))).toBe(Number(String(value)));
      }),
      RUNS,
    );
  });

  test('for numbers as the source writes them: up to 21 digits, with and without exponent', () => {
    const digits = fc.bigInt({ min: 0n, max: 10n ** 21n });
    fc.assert(
      fc.property(
        fc.constantFrom('', '-', '+'),
        digits,
        fc.nat(21),
        fc.option(fc.integer({ min: -60, max: 60 })),
        (sign, all, point, exponent) => {
          const text = String(all).padStart(point + 1, '0');
          const digitsAndPoint = `${text.slice(0, text.length - point)}.${text.slice(text.length - point)}`;
          const number = `${sign}${digitsAndPoint}${exponent === null ? '' : `e${exponent}`}`;
          expect(read(number)).toBe(Number(number));
        },
      ),
      RUNS,
    );
  });

  test('for numbers in the middle of two doubles, and next to it', () => {
    const mantissa = fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n });
    fc.assert(
      fc.property(mantissa, fc.integer({ min: 0, max: 2 }), fc.integer({ min: -1, max: 1 }), (odd, halvings, nudge) => {
        // (2m + 1) / 2^(k + 1) lies exactly between two doubles and has k + 1 decimals.
        const places = BigInt(halvings + 1);
        const number = `${(2n * odd + 1n) * 5n ** places + BigInt(nudge)}e-${places}`;
        expect(read(number)).toBe(Number(number));
      }),
      RUNS,
    );
  });

  test.for([
    '0', '-0', '0.0', '-0.0', '+1', '1.', '.5', '1e5', '1E-7', '1e+31', '-1e+31', '00012.50', '0.1', '9007199254740993',
    '123456789012345678', '999999999999999999', '1234567890123456789', '5.820433436476043E-7', '4.084838963079281e-08',
    '1.7976931348623157e308', '1e309', '5e-324', '2.4703282292062327e-324', '1e-400', '0e999', '1e22', '1e23',
    '0.000000000000000000000000000000000000000000012345', '8.5e-45', '8.5e-46',
  ])('%s', (text) => {
    expect(read(text)).toBe(Number(text));
  }); // prettier-ignore
});

test.for([
  '',
  '-',
  '+',
  '.',
  '-.',
  'e5',
  '1e',
  '1e+',
  '1e-',
  '1.2.3',
  '1,5',
  '0x10',
  'Infinity',
  'NaN',
  '1_000',
  ' 1',
  '1 ',
  '1f',
  '--1',
  '1e5.0',
])('"%s" is no decimal number, for the byte reader and for the pattern of the text readers', (text) => {
  expect(read(text)).toBeNaN();
  expect(DECIMAL_PATTERN.test(text)).toBe(false);
});
