/**
 * Texts of numbers without end, the same for the same seed: fast enough for millions in a test.
 */

export interface DecimalCase {
  readonly text: string;
  /** Digits that are not leading zeros. */
  readonly digits: number;
}

const word = new BigUint64Array(1);
const double = new Float64Array(word.buffer);

/** In turn: any double; one of usual size; digits with a point and an exponent; a number next to the middle of two doubles. */
export function* decimalCases(seed: number): Generator<DecimalCase> {
  let state = seed;
  // mulberry32
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => random() % limit;
  const halves = new Uint32Array(word.buffer);
  for (;;) {
    halves[0] = random();
    halves[1] = random();
    if (Number.isFinite(double[0])) yield ofText(String(double[0]));
    const usual = ((random() - 2 ** 31) / 2 ** 31 + random() / 2 ** 64) * 10 ** (4 - below(12));
    yield ofText(String(usual));
    const digits = `${random()}${random()}${random()}`.slice(0, 1 + below(24));
    const point = below(digits.length + 1);
    const exponent = below(3) === 0 ? `e${below(120) - 60}` : '';
    yield ofText(`${digits.slice(0, point)}.${digits.slice(point)}${exponent}`);
    const middle = (2n * (2n ** 52n + (word[0]! >> 12n)) + 1n) * 5n;
    yield ofText(`${middle + BigInt(below(3) - 1)}e-1`);
  }
}

function ofText(text: string): DecimalCase {
  const [mantissa = ''] = text.split('e');
  return { text, digits: mantissa.replaceAll(/[-.]/g, '').replace(/^0+/, '').length };
}
