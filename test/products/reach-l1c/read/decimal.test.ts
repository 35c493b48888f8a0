import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newByteLoops } from '../../../../src/products/reach-l1c/read/byte-loops.ts';
import { DECIMAL_PATTERN, powersOfFive } from '../../../../src/products/reach-l1c/read/decimal.ts';
import { decimalCases } from './decimal-cases.ts';

const MAX_TEXT = 4096;
const loops = newByteLoops(MAX_TEXT, () => 0);
const text = Buffer.from(loops.memory.buffer, loops.INPUT.value, MAX_TEXT);
const slot = new Float64Array(loops.memory.buffer, loops.NUMBERS.value, 1);

/** NaN when there is no number, or when it is left to the general way. */
function read(number: string): number {
  text[text.write(number, 'latin1')] = 0;
  const end = loops.readNumber(loops.INPUT.value, loops.NUMBERS.value);
  return end === loops.INPUT.value + number.length ? slot[0]! : NaN;
}

/** The least double that is a normal one. */
const LEAST_NORMAL = 2 ** -1022;

/** How many digits fit 64 bits whatever they are. */
const MOST_DIGITS = 19;

/** Whether what is read is the very double; a longer, huge or tiny number may be left to the general way. */
function isRight(number: string, digits: number): boolean {
  const exact = Number(number);
  const size = Math.abs(exact);
  const mayBeLeft = digits > MOST_DIGITS || size === Infinity || size < LEAST_NORMAL;
  const value = read(number);
  return Object.is(value, exact) || (mayBeLeft && Number.isNaN(value));
}

const RUNS = { numRuns: 20_000 };

describe('doubles are those of Number(), bit for bit', () => {
  test('for a million of all kinds; only longer, huge and tiny ones are left to the general way', () => {
    const wrong: string[] = [];
    let count = 1_000_000;
    for (const { text: number, digits } of decimalCases(20_260_101)) {
      if (!isRight(number, digits)) wrong.push(number);
      if (--count === 0) break;
    }
    expect(wrong).toEqual([]);
  });

  test('for every finite double in its shortest form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(isRight(String(value), 17)).toBe(true);
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
          expect(isRight(number, String(all).length)).toBe(true);
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
    '1.7976931348623157e308', '0e999', '1e22', '1e23', '2.2250738585072014e-308', '12345.', '1234.', '0.00009200000000000003',
    '0.000000000000000000000000000000000000000000012345', '8.5e-45', '8.5e-46', '0.10000000000000000555111512312578270',
    '12345678901234567890123', '9999999999999999999', '10000000000000000000', '0000000000000000000000001', '9999.9999999999999999',
  ])('%s', (number) => {
    expect(read(number)).toBe(Number(number));
  }); // prettier-ignore

  test.for(['1e309', '5e-324', '2.4703282292062327e-324', '1e-400', '1e99999', '1e9999999999'])(
    '%s is left to the general way',
    (number) => {
      expect(read(number)).toBeNaN();
    },
  );

  test('for thousands of digits that the exponent takes back', () => {
    const zeros = '0'.repeat(2000);
    expect(read(`0.${zeros}1e2001`)).toBe(1);
    expect(read(`25${zeros}e-2001`)).toBe(2.5);
    expect(read(`25${zeros}`)).toBeNaN();
  });
});

test('the powers of five are cut off after 128 bits; reciprocals that can be part of a tie are the next ones up', () => {
  const [least, greatest] = [-342, 308];
  const words = powersOfFive(least, greatest);
  for (let exponent = least; exponent <= greatest; exponent++) {
    const bits = (words[2 * (exponent - least)]! << 64n) | words[2 * (exponent - least) + 1]!;
    const power = 5n ** BigInt(Math.abs(exponent));
    const length = BigInt(power.toString(2).length);
    // The power is numerator / denominator, made larger or smaller by a power of two so that it has 128 bits.
    const numerator = exponent < 0 ? 1n << (length + 127n) : power << 1024n;
    const denominator = exponent < 0 ? power : 1n << (length + 896n);
    const roundedUp = exponent < 0 && exponent >= -27 ? 1n : 0n;
    expect(bits).toBe(numerator / denominator + roundedUp);
  }
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
])('"%s" is no decimal number, for the byte reader and for the pattern of the text readers', (number) => {
  expect(read(number)).toBeNaN();
  expect(DECIMAL_PATTERN.test(number)).toBe(false);
});
