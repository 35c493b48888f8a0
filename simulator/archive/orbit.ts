/**
 * Where a sensor's host satellite is: a near-circular orbit like Iridium's, written as the source writes it.
 *
 * Plausible, not real: six planes, 86.4° inclination, 100 minutes, altitudes of 779–809 km as in the samples (UDL §6).
 */
import { fractionOf } from './hash.ts';

const DEGREES = 180 / Math.PI;
const TWO_PI = 2 * Math.PI;
const INCLINATION = 86.4 / DEGREES;
const COS_INCLINATION = Math.cos(INCLINATION);
const SIN_INCLINATION = Math.sin(INCLINATION);
const PLANES = 6;
const PLANE_SPACING = 31.6 / DEGREES;
const PERIOD_S = 6_027.9;
/** Mean distance from the Earth's centre and its swing over one orbit, fitted to the sample's `senPos`. */
const MEAN_RADIUS_KM = 7_165.7;
const RADIUS_SWING_KM = 7.7;
const EARTH_RADIUS_KM = 6_378.137;
const FLATTENING = 1 / 298.257;
/** The source's altitudes lie this much below those over the WGS-84 ellipsoid. */
const ALTITUDE_OFFSET_KM = 7.73;
const SIDEREAL_EPOCH_MS = Date.UTC(2000, 0, 1, 12);

export interface Orbit {
  /** Cosine and sine of the ascending node's right ascension. */
  readonly cosNode: number;
  readonly sinNode: number;
  /** Argument of latitude at the POSIX epoch, radians. */
  readonly phase: number;
}

/** The orbit of the `index`-th satellite; phases depend on the seed. */
export function createOrbit(seed: number, index: number): Orbit {
  const node = (index % PLANES) * PLANE_SPACING;
  return {
    cosNode: Math.cos(node),
    sinNode: Math.sin(node),
    phase: fractionOf(seed, index, 0x0b17) * TWO_PI,
  };
}

/**
 * The record's text from behind `"lat":` up to and with the `]` of `senPos`.
 *
 * @param ms - POSIX milliseconds
 * @returns degrees for lat and lon (−180 ≤ lon < 180), kilometres for alt and the inertial senPos, all at full precision
 */
export function positionText(orbit: Orbit, ms: number): string {
  const u = orbit.phase + TWO_PI * ((ms / 1000 / PERIOD_S) % 1);
  const sinU = Math.sin(u);
  const cosU = Math.cos(u);
  const radius = MEAN_RADIUS_KM - RADIUS_SWING_KM * sinU;
  const across = sinU * COS_INCLINATION;
  const x = radius * (orbit.cosNode * cosU - orbit.sinNode * across);
  const y = radius * (orbit.sinNode * cosU + orbit.cosNode * across);
  const sinLatitude = sinU * SIN_INCLINATION;
  const latitude = Math.asin(sinLatitude);
  const geodetic = latitude + FLATTENING * (EARTH_RADIUS_KM / radius) * Math.sin(2 * latitude);
  const altitude = radius - EARTH_RADIUS_KM * (1 - FLATTENING * sinLatitude * sinLatitude) - ALTITUDE_OFFSET_KM;
  const lon = longitude(Math.atan2(y, x), ms);
  return `${geodetic * DEGREES},"lon":${lon},"alt":${altitude},"senPos":[${x},${y},${radius * sinLatitude}]`;
}

/** Degrees east of Greenwich of a right ascension in radians. */
function longitude(rightAscension: number, ms: number): number {
  const days = (ms - SIDEREAL_EPOCH_MS) / 86_400_000;
  const sidereal = 280.46061837 + 360.98564736629 * days;
  const degrees = (rightAscension * DEGREES - sidereal + 180) % 360;
  return (degrees < 0 ? degrees + 360 : degrees) - 180;
}
