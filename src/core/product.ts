/**
 * What is made: a sensor selection, the source's descriptor and the format of the downloaded artifact.
 */
import { READINGS_PER_DOSIMETER_DAY, SENSORS, SENSOR_BY_ID } from './constellation.ts';
import { PipelineError } from './errors.ts';
import { addDays, compactStamp, dayStartMs } from './time/day.ts';
import type { Day } from './time/day.ts';

export const DESCRIPTORS = ['QUICKLOOK', 'PROVISIONAL'] as const;
export type Descriptor = (typeof DESCRIPTORS)[number];

export const ARTIFACT_FORMATS = ['csv', 'json'] as const;
export type ArtifactFormat = (typeof ARTIFACT_FORMATS)[number];

/** `ALL` or one sensor id such as `REACH-101`. */
export type SensorSelection = string;

export interface Product {
  readonly sensor: SensorSelection;
  readonly descriptor: Descriptor;
  readonly format: ArtifactFormat;
}

/** A product's slug: `reach-all/quicklook`, `reach-101/provisional`, with `/json` behind it for JSON artifacts. */
export type ProductSlug = string;

/** The product's slug, used in workflow ids, the ledger and folder names. */
export function productSlug(product: Product): ProductSlug {
  const sensor = product.sensor === 'ALL' ? 'reach-all' : product.sensor.toLowerCase();
  const suffix = product.format === 'json' ? '/json' : '';
  return `${sensor}/${product.descriptor.toLowerCase()}${suffix}`;
}

/** Inverse of `productSlug`. @throws RangeError when the text is no slug */
export function parseProductSlug(slug: ProductSlug): Product {
  const [sensor, descriptor, format, ...rest] = slug.split('/');
  const product = {
    sensor: sensor === 'reach-all' ? 'ALL' : (sensor ?? '').toUpperCase(),
    descriptor: (descriptor ?? '').toUpperCase() as Descriptor,
    format: (format ?? 'csv') as ArtifactFormat,
  };
  if (rest.length > 0 || productSlug(product) !== slug || !DESCRIPTORS.includes(product.descriptor)) {
    throw new RangeError(`"${slug}" is not a product slug such as reach-all/quicklook or reach-101/provisional/json`);
  }
  return product;
}

/**
 * Reads a sensor selection as an operator types it (UDL-D8): `ALL`, `REACH-ALL`, `101`, `reach-101`.
 *
 * @param allowUnknown - accept ids outside the constellation, such as a sensor added later
 * @throws PipelineError `config_invalid` naming the text and the known ids
 */
export function parseSensor(text: string, allowUnknown = false): SensorSelection {
  const upper = text.trim().toUpperCase();
  if (upper === 'ALL' || upper === 'REACH-ALL') return 'ALL';
  const id = /^\d+$/.test(upper) ? `REACH-${upper}` : upper;
  if (SENSOR_BY_ID.has(id)) return id;
  if (allowUnknown && /^REACH-\d+$/.test(id)) return id;
  throw new PipelineError('config_invalid', `Unknown sensor "${text}".`, {
    hint: `Use ALL or one of ${SENSORS.map((sensor) => sensor.id).join(', ')}; --allow-unknown-sensor admits a REACH-<number> outside this list.`,
  });
}

/** Reads a descriptor; `PRELIMINARY` is an alias of `PROVISIONAL` (CLI-D3). @throws PipelineError `config_invalid` */
export function parseDescriptor(text: string): Descriptor {
  const upper = text.trim().toUpperCase();
  if (upper === 'PRELIMINARY') return 'PROVISIONAL';
  const known = DESCRIPTORS.find((descriptor) => descriptor === upper);
  if (known) return known;
  throw new PipelineError('config_invalid', `Unknown descriptor "${text}".`, {
    hint: `Use ${DESCRIPTORS.join(' or ')} (PRELIMINARY is read as PROVISIONAL).`,
  });
}

/** Records of a complete day: 32 sensors × 2 dosimeters × 17,280 for ALL, 2 × 17,280 for one sensor (TEL, column 7). */
export function expectedRecords(product: Product): number {
  const sensors = product.sensor === 'ALL' ? SENSORS.length : 1;
  return sensors * 2 * READINGS_PER_DOSIMETER_DAY;
}

/** Prefix of the artifact's name: `REACH-ALL` or the sensor id (UDL-27). */
export function artifactPrefix(product: Product): string {
  return product.sensor === 'ALL' ? 'REACH-ALL' : product.sensor;
}

/** File name of a day's artifact, `REACH-ALL_20260101T000000_20260102T000000.csv` (UDL-27). */
export function artifactFileName(product: Product, day: Day): string {
  const start = compactStamp(dayStartMs(day));
  const end = compactStamp(dayStartMs(addDays(day, 1)));
  return `${artifactPrefix(product)}_${start}_${end}.${product.format}`;
}
