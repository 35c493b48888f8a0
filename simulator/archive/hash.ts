/**
 * Seeded, order-free randomness: a number that depends on its inputs alone, so that any record can be made alone.
 */

/** 32 well-mixed bits (0 … 2^32 − 1) of four integers; only the low 32 bits of each count. */
export function mix(seed: number, a: number, b = 0, c = 0): number {
  let h = Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2d);
  h = Math.imul((h ^ (h >>> 15)) + (a | 0), 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 13)) + (b | 0), 0xc2b2ae35);
  h = Math.imul((h ^ (h >>> 16)) + (c | 0), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A fraction in [0, 1) of the same inputs as `mix`. */
export function fractionOf(seed: number, a: number, b = 0, c = 0): number {
  return mix(seed, a, b, c) / 0x1_0000_0000;
}

/** 53 bits of a text: small enough for a `Map` key, wide enough that a million texts do not meet. */
export function textKey(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul((high ^ (high >>> 15)) + code, 0x85ebca6b);
  }
  return (mix(1, low, high) & 0x1f_ffff) * 0x1_0000_0000 + mix(2, high, low);
}
