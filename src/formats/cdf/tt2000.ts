/**
 * UTC and CDF_TIME_TT2000: signed 64-bit nanoseconds of Terrestrial Time since 2000-01-01T12:00:00 TT.
 *
 * TT = TAI + 32.184 s and TAI = UTC + leap seconds, so with POSIX nanoseconds
 * `tt2000 = posix_ns + 1e9 * (TAI - UTC) - 946_727_967_816_000_000`. A leap second 23:59:60 has no POSIX time: it is
 * one second after 23:59:59.
 */
import { FormatError } from './errors.ts';
import { LEAP_SECONDS } from './leap-seconds.ts';

const J2000_POSIX_NS = 946_727_967_816_000_000n; // 2000-01-01T12:00 TT in POSIX nanoseconds, were TAI - UTC zero
const NS = 1_000_000_000n;
const MAX_INT64 = 2n ** 63n - 1n;
const FILL = -(2n ** 63n);
const PAD = FILL + 1n;

interface Era {
  readonly startSeconds: number; // POSIX
  readonly startTt: bigint;
  readonly offset: bigint; // TAI - UTC, seconds
}

const ERAS: readonly Era[] = LEAP_SECONDS.map(({ day, taiMinusUtc }) => {
  const startSeconds = Date.parse(`${day}T00:00:00Z`) / 1000;
  const offset = BigInt(taiMinusUtc);
  return { startSeconds, offset, startTt: BigInt(startSeconds) * NS + offset * NS - J2000_POSIX_NS };
});

const UTC_TEXT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z?$/;

/**
 * @param text - `YYYY-MM-DDTHH:MM:SS[.fraction][Z]`, UTC, up to nine digits of fraction; second 60 in a leap second only
 * @returns nanoseconds since J2000 TT, exact
 * @throws FormatError `time_invalid` for other text, dates that do not exist, and times before 1972 or after 2292-04-11
 */
export function utcToTt2000(text: string): bigint {
  const match = UTC_TEXT.exec(text);
  if (!match) throw invalid(text, 'UTC as YYYY-MM-DDTHH:MM:SS[.fraction][Z]');
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const isLeap = second === 60;
  const ms = Date.UTC(year, month - 1, day, hour, minute, isLeap ? 59 : second);
  const date = new Date(ms);
  const exists =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second <= 60;
  if (!exists || year < 100) throw invalid(text, 'a time that exists');
  const seconds = ms / 1000;
  const era = eraAt(seconds);
  if (!era) throw invalid(text, '1972-01-01 or later');
  if (
    isLeap &&
    !ERAS.some(({ startSeconds }) => startSeconds === seconds + 1 && startSeconds > ERAS[0]!.startSeconds)
  ) {
    throw invalid(text, 'second 60 in a leap second only');
  }
  const fraction = BigInt((match[7] ?? '').padEnd(9, '0'));
  const tt = BigInt(seconds + (isLeap ? 1 : 0)) * NS + fraction + era.offset * NS - J2000_POSIX_NS;
  if (tt > MAX_INT64) throw invalid(text, 'a time before 2292-04-11T11:46:07.670775808');
  return tt;
}

/**
 * @param tt2000 - nanoseconds since J2000 TT
 * @param digits - digits of the fraction; the rest is cut off, not rounded
 * @returns `YYYY-MM-DDTHH:MM:SS.fffffffffZ`; the fill and pad values as other CDF tools show them
 * @throws FormatError `time_invalid` before 1972
 */
export function tt2000ToUtc(tt2000: bigint, digits: 0 | 3 | 6 | 9 = 9): string {
  if (tt2000 === FILL) return withFraction('9999-12-31T23:59:59', 999_999_999n, digits);
  if (tt2000 === PAD) return withFraction('0000-01-01T00:00:00', 0n, digits);
  let index = ERAS.length - 1;
  while (index >= 0 && ERAS[index]!.startTt > tt2000) index--;
  const era = ERAS[index];
  if (!era || tt2000 > MAX_INT64) throw invalid(String(tt2000), 'a TT2000 value of 1972-01-01 or later');
  const posixNs = tt2000 + J2000_POSIX_NS - era.offset * NS;
  let seconds = Number(posixNs / NS);
  const next = ERAS[index + 1];
  const isLeap = next !== undefined && seconds >= next.startSeconds;
  if (isLeap) seconds -= 1;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return withFraction(isLeap ? `${text.slice(0, 17)}60` : text, posixNs % NS, digits);
}

/**
 * The fast way for many times.
 *
 * @param millis - POSIX milliseconds, whole numbers, 1972 or later
 * @throws FormatError `time_invalid` naming the first value that is not
 */
export function posixMillisToTt2000(millis: ArrayLike<number>): BigInt64Array {
  return posixTicksToTt2000(millis, 1_000);
}

/** As `posixMillisToTt2000`, for POSIX microseconds below 2^53 (in the year 2255). */
export function posixMicrosToTt2000(micros: ArrayLike<number>): BigInt64Array {
  return posixTicksToTt2000(micros, 1_000_000);
}

function posixTicksToTt2000(ticks: ArrayLike<number>, ticksPerSecond: number): BigInt64Array {
  const nsPerTick = 1e9 / ticksPerSecond;
  const zero = Number(J2000_POSIX_NS / BigInt(nsPerTick)); // exact: a whole number of ms
  const result = new BigInt64Array(ticks.length);
  const halves = new Uint32Array(result.buffer);
  const [low, high] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? [0, 1] : [1, 0];
  let start = Infinity;
  let end = -Infinity;
  let shift = 0;
  for (let i = 0; i < ticks.length; i++) {
    const tick = ticks[i]!;
    if (!(tick >= start && tick < end)) {
      [start, end, shift] = eraTicks(tick, ticksPerSecond);
      shift -= zero;
    }
    if (!Number.isSafeInteger(tick)) throw invalid(String(tick), 'a whole number below 2^53');
    // The product passes 2^53, so it is built from two exact partial products: value = upper * 2^20 + lower.
    const value = tick + shift;
    const upper = Math.floor(value / 0x10_0000);
    const upperNs = upper * nsPerTick;
    const lowerNs = (value - upper * 0x10_0000) * nsPerTick;
    const top = Math.floor(upperNs / 0x1000);
    const rest = (upperNs - top * 0x1000) * 0x10_0000 + lowerNs;
    const carry = Math.floor(rest / 0x1_0000_0000);
    halves[2 * i + low] = rest - carry * 0x1_0000_0000;
    halves[2 * i + high] = top + carry;
  }
  return result;
}

/** First tick, tick after the last, and ticks of TAI - UTC of the span of constant offset that holds `tick`. */
function eraTicks(tick: number, ticksPerSecond: number): [start: number, end: number, shift: number] {
  const seconds = tick / ticksPerSecond;
  const era = eraAt(seconds);
  if (!era) throw invalid(String(tick), 'POSIX time of 1972-01-01 or later');
  const last = Number((MAX_INT64 + J2000_POSIX_NS) / NS) - Number(era.offset);
  if (seconds >= last) throw invalid(String(tick), 'POSIX time before 2292-04-11T11:46:07');
  const next = ERAS[ERAS.indexOf(era) + 1];
  return [
    era.startSeconds * ticksPerSecond,
    (next?.startSeconds ?? last) * ticksPerSecond,
    Number(era.offset) * ticksPerSecond,
  ];
}

function eraAt(seconds: number): Era | undefined {
  return ERAS.findLast(({ startSeconds }) => startSeconds <= seconds);
}

function withFraction(text: string, ns: bigint, digits: number): string {
  return digits === 0 ? `${text}Z` : `${text}.${String(ns).padStart(9, '0').slice(0, digits)}Z`;
}

function invalid(got: string, expected: string): FormatError {
  return new FormatError('time_invalid', 'time cannot be converted to TT2000', { expected, got });
}
