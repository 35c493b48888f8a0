/**
 * Decimal numbers as texts: what counts as one, and the table that reading them from bytes needs (`wasm/rows/decimal.ts`).
 */

/** What the readers take for a number; those of text use it to agree with the byte reader. */
export const DECIMAL_PATTERN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const WORD = 64n;
const BITS = 2n * WORD;

/**
 * The first 128 bits of `5^least … 5^greatest`, each as two words, the upper one first and its highest bit set. Cut off, but
 * the reciprocals of the powers up to 5^27 rounded up: then an exact tie is seen as one (Eisel and Lemire, 2021; N. Mushtak
 * and D. Lemire, "Fast number parsing without fallback", 2023).
 */
export function powersOfFive(least: number, greatest: number): BigUint64Array {
  const words = new BigUint64Array(2 * (greatest - least + 1));
  for (let exponent = least; exponent <= greatest; exponent++) {
    const power = 5n ** BigInt(Math.abs(exponent));
    let bits = exponent < 0 ? leadingBits((1n << (bitLength(power) + BITS)) / power) : leadingBits(power);
    if (exponent < 0 && exponent >= -27) bits++;
    words[2 * (exponent - least)] = bits >> WORD;
    words[2 * (exponent - least) + 1] = BigInt.asUintN(64, bits);
  }
  return words;
}

function leadingBits(value: bigint): bigint {
  const excess = bitLength(value) - BITS;
  return excess > 0n ? value >> excess : value << -excess;
}

function bitLength(value: bigint): bigint {
  return BigInt(value.toString(16).length * 4 - Math.clz32(Number.parseInt(value.toString(16)[0]!, 16)) + 28);
}
