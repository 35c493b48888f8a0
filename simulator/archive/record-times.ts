/**
 * When a record was generated and when it reached the archive: by hour and sensor, as downlinks come.
 *
 * Lags as seen in the samples (UDL §6): QUICKLOOK 1.5 h to 4.4 days, PROVISIONAL four weeks to three months.
 */
import type { Descriptor } from '../../src/core/product.ts';
import { mix } from './hash.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** One sensor-hour in so many comes down days late. */
const LATE_DOWNLINK_EVERY = 24;

export interface RecordTimes {
  readonly genMs: number;
  readonly createdMs: number;
}

/** Times of the records of `pair` in the hour that holds `ms`. */
export function recordTimes(seed: number, descriptor: Descriptor, pair: number, ms: number): RecordTimes {
  const hour = Math.floor(ms / HOUR_MS);
  const ofSensor = mix(seed, hour, pair >> 1, 0x6e7);
  const ofPair = mix(seed, hour, pair, 0xc7ea);
  const genMs = (hour + 1) * HOUR_MS + 1.5 * HOUR_MS + (ofSensor % 15_000) + lagMs(descriptor, ofSensor);
  return { genMs, createdMs: genMs + 10_000 + (ofPair % 110_000) };
}

function lagMs(descriptor: Descriptor, bits: number): number {
  if (descriptor === 'PROVISIONAL') return (28 + (bits % 62)) * DAY_MS;
  return bits % LATE_DOWNLINK_EVERY === 0 ? HOUR_MS * (1 + (bits % 101)) : 0;
}

/** How much later the copy of a reading came than the reading itself: 1 to 3 hours. */
export function copyLagMs(seed: number, pair: number, ms: number): number {
  return HOUR_MS + (mix(seed, pair, ms / 1000, 0xc0b1) % (2 * HOUR_MS));
}

/** How much later data came that filled a gap: 5 to 6 days. */
export function lateLagMs(seed: number, pair: number, ms: number): number {
  return 5 * DAY_MS + (mix(seed, pair, ms / HOUR_MS, 0x1a7e) % DAY_MS);
}
