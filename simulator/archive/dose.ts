/**
 * What a dosimeter reads: mostly nothing, sometimes a small dose, rarely the source's fill value −1e+31.
 */
import type { Flavor } from '../../src/core/constellation.ts';
import { fractionOf, mix } from './hash.ts';

/** Distinct doses per flavor; readings share their texts because writing a number costs more than picking one. */
const PALETTE_SIZE = 1024;
const ZERO_SHARE = 0.67;
/** One reading in so many is the fill value; the CSV sample has 2 in 716, which a full day would make noisy. */
const FILL_EVERY = 5_003;
const DOSE_SALT = 0xd05e;
const QUALITY_SALT = 0x9a1;
/** A quality flag holds for a minute. */
const QUALITY_RUN_S = 60;

/** The texts a flavor's doses come from, deterministic by seed. */
export function createPalette(seed: number, flavor: Flavor): readonly string[] {
  return Array.from({ length: PALETTE_SIZE }, (_, index) => {
    const fraction = fractionOf(seed, flavor.charCodeAt(0), index, DOSE_SALT);
    return floatText(10 ** (-7.6 + 4.9 * fraction));
  });
}

/**
 * The dose of one reading as JSON number text, in rad/second.
 *
 * @param variant - 0 for the reading itself, else the number of a later copy, which reads something else
 */
export function doseText(palette: readonly string[], seed: number, pair: number, ms: number, variant: number): string {
  const bits = mix(seed, pair + variant * 64, ms / 1000, (ms % 1000) + DOSE_SALT);
  if (bits % FILL_EVERY === 0) return '-1e+31';
  return bits < ZERO_SHARE * 0x1_0000_0000 ? '0.0' : palette[(bits >>> 7) % PALETTE_SIZE]!;
}

/** The quality flag of a sensor at an instant: `0`, sometimes `16` or `4`; the same for both dosimeters. */
export function qualityText(seed: number, sensor: number, ms: number): string {
  const percent = mix(seed, sensor, Math.floor(ms / 1000 / QUALITY_RUN_S), QUALITY_SALT) % 100;
  if (percent < 3) return '16';
  return percent < 4 ? '4' : '0';
}

/** A number as the samples write it: shortest digits, exponents of at least two digits below 1e-4. */
function floatText(value: number): string {
  if (value >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, 'e-0$1');
}
