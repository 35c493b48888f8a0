/**
 * What the `istp` profile says about each measurement where the published product says too little (CDF-D5…D8).
 */

interface MeasurementFacts {
  /** At most 20 characters, one space for none. */
  readonly units: string;
  /** `factor>SI unit`; null for a number without a unit. */
  readonly siConversion: string | null;
  /** Values outside are wrong, not rare. */
  readonly min: number;
  readonly max: number;
  /** Fortran edit descriptor that shows what the source gives. */
  readonly format: string;
  readonly scale: 'linear' | 'log';
}

const KILOMETRES = { units: 'km', siConversion: '1.0e3>m', format: 'F12.4', scale: 'linear' } as const;
const DEGREES = { units: 'deg', siConversion: '0.0174532925>rad', format: 'F12.6', scale: 'linear' } as const;

/** Beyond any orbit that could carry a sensor of this constellation. */
const MAX_POSITION_KM = 10_000;

export const ISTP_RANGES: Readonly<Record<string, MeasurementFacts>> = {
  // A rad is 0.01 J/kg. The upper limit is far above what would end a satellite at once.
  dose_rate: {
    units: 'rad/s',
    siConversion: '0.01>J kg^-1 s^-1',
    min: 0,
    max: 1e6,
    format: 'E14.6',
    scale: 'log',
  },
  lat: { ...DEGREES, min: -90, max: 90 },
  lon: { ...DEGREES, min: -180, max: 180 },
  alt: { ...KILOMETRES, min: 0, max: 2000 },
  // Looks like bit flags; values up to 16 were seen.
  obQuality: { units: ' ', siConversion: null, min: 0, max: 65_535, format: 'F6.0', scale: 'linear' },
  sensor_position_x: { ...KILOMETRES, min: -MAX_POSITION_KM, max: MAX_POSITION_KM },
  sensor_position_y: { ...KILOMETRES, min: -MAX_POSITION_KM, max: MAX_POSITION_KM },
  sensor_position_z: { ...KILOMETRES, min: -MAX_POSITION_KM, max: MAX_POSITION_KM },
};

const AXIS_LABELS: Readonly<Record<string, string>> = {
  sensor_ids: 'Sensor',
  dosimeter_flavor_ids: 'Flavor',
  dose_rate: 'Dose rate',
  obQuality: 'Quality',
  sensor_position_x: 'X GEI',
  sensor_position_y: 'Y GEI',
  sensor_position_z: 'Z GEI',
};

/** LABLAXIS of a variable, at most 10 characters. */
export function labelAxis(name: string): string {
  return AXIS_LABELS[name] ?? name;
}
