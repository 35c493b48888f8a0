/**
 * The product's variables with their attributes (CDF §5, §6), in both profiles.
 *
 * `parity` is the published product, its known flaws included (CDF-D5…D8, D19). `istp` puts those right: units, widths
 * of text, valid ranges that mean something, display types, axis labels.
 */
import { CADENCE_S } from '../../../core/constellation.ts';
import type { AttributeValue, CdfType, CdfVariable } from '../../../formats/cdf/index.ts';
import { FILL } from '../assemble/blocks.ts';
import { MICROS_PER_SECOND } from '../read/instant.ts';
import { ISTP_RANGES, labelAxis } from './istp.ts';
import type { ProductFacts } from './facts.ts';

type Attribute = readonly [name: string, value: AttributeValue];

/** Order in which variable attributes are created (CDF §6); the last ones are of `istp` only. */
export const VARIABLE_ATTRIBUTE_ORDER = [
  'CATDESC',
  'VAR_TYPE',
  'FIELDNAM',
  'FILLVAL',
  'FORMAT',
  'SI_CONVERSION',
  'UNITS',
  'VALIDMIN',
  'VALIDMAX',
  'TIME_BASE',
  'RESOLUTION',
  'TIME_SCALE',
  'REFERENCE_POSITION',
  'VAR_NOTES',
  'DEPEND_0',
  'DEPEND_1',
  'DEPEND_2',
  'LABL_PTR_1',
  'LABL_PTR_2',
  'DISPLAY_TYPE',
] as const;

const TT2000_FILL = -(2n ** 63n);
const INT4_FILL = -(2 ** 31);
const FIRST_VALID_TIME = -3_155_716_767_816_000_000n; // 1900-01-01
const LAST_VALID_TIME = 7_889_227_269_184_000_000n; // 2250-01-01

const FLAVOR_NOTE = ". For actual flavor strings, see 'dosimeter_flavors' variable.";
const LABEL_NOTE = `Variable is just used for Label Pointer${FLAVOR_NOTE}`;
const DEPENDS_NOTE = `Variable is just used for DEPENDS${FLAVOR_NOTE}`;

/** Label of a place on the flavor axis. */
export function flavorLabel(slot: number): string {
  return `flavor_${slot}`;
}

/** All variables in file order. */
export function variables(facts: ProductFacts): CdfVariable[] {
  const { axes } = facts;
  const sensors = axes.sensorLabels.length;
  const labels = Array.from({ length: axes.flavorCount }, (_, slot) => flavorLabel(slot));
  return [
    epoch(facts),
    textAxis(facts, 'sensor_labels', 'REACH Sensor Labels', axes.sensorLabels, [sensors]),
    numberAxis(facts, 'sensor_ids', 'REACH Sensor IDs', [sensors]),
    textAxis(
      facts,
      'dosimeter_flavor_labels',
      'Label for dosimeter flavors dimension',
      labels,
      [axes.flavorCount],
      [['VAR_NOTES', LABEL_NOTE]],
    ),
    numberAxis(
      facts,
      'dosimeter_flavor_ids',
      'ID for dosimeter flavors dimension',
      [axes.flavorCount],
      [['VAR_NOTES', DEPENDS_NOTE]],
    ),
    textAxis(facts, 'dosimeter_flavors', 'Observation Flavors per Sensor', axes.flavors.flat(), [
      sensors,
      axes.flavorCount,
    ]),
    measurement(facts, 'dose_rate', 'Dose rate for combined sensors and dosimeter flavors', '0.01 J / kg', [
      ['DEPEND_2', 'dosimeter_flavor_ids'],
      ['LABL_PTR_2', 'dosimeter_flavor_labels'],
    ]),
    measurement(facts, 'lat', 'Latitude', 'deg'),
    measurement(facts, 'lon', 'Longitude', 'deg'),
    measurement(facts, 'alt', 'Altitude', 'km'),
    measurement(facts, 'obQuality', 'Observation Quality', 'unitless'),
    measurement(facts, 'sensor_position_x', 'GEI Coordinate Position X in KM', 'km'),
    measurement(facts, 'sensor_position_y', 'GEI Coordinate Position Y in KM', 'km'),
    measurement(facts, 'sensor_position_z', 'GEI Coordinate Position Z in KM', 'km'),
  ];
}

/** `5s`, `0.5s`: the smallest step of the time axis, the nominal one when there is only one time (CDF-D9, D11). */
export function resolutionText(stepMicros: number | null): string {
  const micros = stepMicros ?? CADENCE_S * MICROS_PER_SECOND;
  const fraction = String(micros % MICROS_PER_SECOND)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${Math.floor(micros / MICROS_PER_SECOND)}${fraction === '' ? '' : `.${fraction}`}s`;
}

function epoch(facts: ProductFacts): CdfVariable {
  const isIstp = facts.profile === 'istp';
  const istpOnly: Attribute[] = [
    ['LABLAXIS', 'Epoch'],
    ['MONOTON', 'INCREASE'],
    ['SCALETYP', 'linear'],
  ];
  return {
    name: 'Epoch',
    type: 'CDF_TIME_TT2000',
    recordVarying: true,
    records: facts.timeCount,
    monotonic: 'strict',
    ...compression(facts),
    attributes: [
      ...described('Epoch', 'Observation Time', 'support_data', 'A29'),
      ['FILLVAL', one('CDF_TIME_TT2000', TT2000_FILL)],
      ['SI_CONVERSION', isIstp ? '1.0e-9>s' : '1.000000e-09>s'],
      ['UNITS', 'ns'],
      ['VALIDMIN', one('CDF_TIME_TT2000', FIRST_VALID_TIME)],
      ['VALIDMAX', one('CDF_TIME_TT2000', LAST_VALID_TIME)],
      ['TIME_BASE', 'J2000'],
      ['RESOLUTION', resolutionText(facts.stepMicros)],
      ['TIME_SCALE', isIstp ? 'TT' : 'Terrestrial Time (TT)'],
      ['REFERENCE_POSITION', 'rotating Earth geoid'],
      ...(isIstp ? istpOnly : []),
    ],
  };
}

function textAxis(
  facts: ProductFacts,
  name: string,
  description: string,
  texts: readonly string[],
  dims: readonly number[],
  further: readonly Attribute[] = [],
): CdfVariable {
  const width = Math.max(1, ...texts.map((text) => Buffer.byteLength(text)));
  // The published files give the length of the first dimension where the width of the text belongs (CDF-D7).
  const formatWidth = facts.profile === 'istp' ? width : dims[0]!;
  return {
    name,
    type: 'CDF_CHAR',
    elements: width,
    dims,
    recordVarying: false,
    charPadding: 'space',
    attributes: [...described(name, description, 'metadata', `A${formatWidth}`), ['FILLVAL', ' '], ...further],
  };
}

function numberAxis(
  facts: ProductFacts,
  name: string,
  description: string,
  dims: readonly number[],
  further: readonly Attribute[] = [],
): CdfVariable {
  const isIstp = facts.profile === 'istp';
  // ISTP keeps `metadata` for text; a numeric axis is support data, with all that belongs to it.
  const istpOnly: Attribute[] = [
    ['UNITS', ' '],
    ['VALIDMIN', one('CDF_INT4', 0)],
    ['VALIDMAX', one('CDF_INT4', 2 ** 31 - 1)],
    ['LABLAXIS', labelAxis(name)],
    ['SCALETYP', 'linear'],
  ];
  return {
    name,
    type: 'CDF_INT4',
    dims,
    recordVarying: false,
    attributes: [
      ...described(name, description, isIstp ? 'support_data' : 'metadata', 'I11'),
      ['FILLVAL', one('CDF_INT4', INT4_FILL)],
      ...further,
      ...(isIstp ? istpOnly : []),
    ],
  };
}

/** A variable `[time, sensor]`, or `[time, sensor, flavor]` when `further` has a second dependency. */
function measurement(
  facts: ProductFacts,
  name: string,
  description: string,
  publishedUnits: string,
  further: readonly Attribute[] = [],
): CdfVariable {
  const { axes } = facts;
  const sensors = axes.sensorLabels.length;
  const range = facts.profile === 'istp' ? ISTP_RANGES[name]! : null;
  const siConversion = range ? range.siConversion : ' > ';
  const istpOnly: Attribute[] = [
    ['LABLAXIS', labelAxis(name)],
    ['SCALETYP', range?.scale ?? 'linear'],
  ];
  return {
    name,
    type: 'CDF_DOUBLE',
    dims: further.length > 0 ? [sensors, axes.flavorCount] : [sensors],
    recordVarying: true,
    records: facts.timeCount,
    ...compression(facts),
    attributes: [
      ...described(name, description, 'data', range?.format ?? 'G10.8E3'),
      ['FILLVAL', one('CDF_DOUBLE', FILL)],
      ...(siConversion === null ? [] : [['SI_CONVERSION', siConversion] satisfies Attribute]),
      ['UNITS', range?.units ?? publishedUnits],
      ['VALIDMIN', one('CDF_DOUBLE', range?.min ?? -Number.MAX_VALUE)],
      ['VALIDMAX', one('CDF_DOUBLE', range?.max ?? Number.MAX_VALUE)],
      ['DEPEND_0', 'Epoch'],
      ['DEPEND_1', 'sensor_ids'],
      ['LABL_PTR_1', 'sensor_labels'],
      ...further,
      ['DISPLAY_TYPE', range ? 'spectrogram' : 'time_series'],
      ...(range ? istpOnly : []),
    ],
  };
}

function described(name: string, description: string, kind: string, format: string): Attribute[] {
  return [
    ['CATDESC', description],
    ['VAR_TYPE', kind],
    ['FIELDNAM', name],
    ['FORMAT', format],
  ];
}

function compression(facts: ProductFacts): Pick<CdfVariable, 'gzipLevel'> {
  return facts.profile === 'istp' ? { gzipLevel: 4 } : {};
}

function one(type: CdfType, value: number | bigint): AttributeValue {
  return { type, values: [value] };
}
