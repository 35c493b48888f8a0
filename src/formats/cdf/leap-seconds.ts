/**
 * TAI - UTC in whole seconds since 1972, from the announcements of the IERS (Bulletin C).
 *
 * Before 1972 the difference drifted in fractions of a second; this library refuses those times.
 */

/** Date of the newest row as yyyymmdd. Written to files: libcdf refuses a date newer than its own table's. */
export const LEAP_SECONDS_UPDATED = 20170101;

export interface LeapSecond {
  /** First UTC day on which the offset holds. */
  readonly day: string;
  /** TAI - UTC in seconds from 00:00 UTC of that day. */
  readonly taiMinusUtc: number;
}

const DAYS = [
  ['1972-01-01', 10],
  ['1972-07-01', 11],
  ['1973-01-01', 12],
  ['1974-01-01', 13],
  ['1975-01-01', 14],
  ['1976-01-01', 15],
  ['1977-01-01', 16],
  ['1978-01-01', 17],
  ['1979-01-01', 18],
  ['1980-01-01', 19],
  ['1981-07-01', 20],
  ['1982-07-01', 21],
  ['1983-07-01', 22],
  ['1985-07-01', 23],
  ['1988-01-01', 24],
  ['1990-01-01', 25],
  ['1991-01-01', 26],
  ['1992-07-01', 27],
  ['1993-07-01', 28],
  ['1994-07-01', 29],
  ['1996-01-01', 30],
  ['1997-07-01', 31],
  ['1999-01-01', 32],
  ['2006-01-01', 33],
  ['2009-01-01', 34],
  ['2012-07-01', 35],
  ['2015-07-01', 36],
  ['2017-01-01', 37],
] as const;

/** Oldest first. */
export const LEAP_SECONDS: readonly LeapSecond[] = DAYS.map(([day, taiMinusUtc]) => ({ day, taiMinusUtc }));
