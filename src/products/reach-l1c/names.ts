/**
 * Names of L1C products: the file's (CDF-1) and its place below a delivery base (S3-1).
 */
import { basename } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { SensorSelection } from '../../core/product.ts';

export const DATA_LEVEL = 'l1c';
export const DATA_TYPE = 'prelim';

const FILE_NAME = /^reach_(?:[a-z0-9-]+_)?(l1c)_([a-z]+)_(\d{4})(\d\d)(\d\d)T\d{6}_v\d+(?:\.\d+)*\.cdf$/;
const INPUT_NAME = /(?:^|[-_.])reach(?:[-_.\d]|$)/i;
const INPUT_TIME = /\d{8}T\d{6}/;

/** The mode part of names: `all`, or the sensor's number, `101` (CDF-D1). */
export function productMode(sensor: SensorSelection): string {
  return sensor === 'ALL' ? 'all' : sensor.replace(/^REACH-/, '').toLowerCase();
}

/** `reach_all_prelim`, or with the level `reach_all_l1c_prelim`, which begins the file's name. */
export function logicalSource(sensor: SensorSelection, withLevel: boolean): string {
  return ['reach', productMode(sensor), ...(withLevel ? [DATA_LEVEL] : []), DATA_TYPE].join('_');
}

/**
 * @param stamp - UTC of the first record on the time axis, `YYYYMMDDTHHMMSS` (CDF-2)
 * @param version - such as `1.0.0`
 * @returns `reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf`
 */
export function productFileName(sensor: SensorSelection, stamp: string, version: string): string {
  return `${logicalSource(sensor, true)}_${stamp}_v${version}.cdf`;
}

/**
 * Place of a product below its delivery base, `l1c/prelim/2025/09/04/<file name>` (S3-1).
 *
 * @param file - name or path of a product
 * @throws PipelineError `input_invalid` when the name is not a product's
 */
export function productKey(file: string): string {
  const name = basename(file);
  const match = FILE_NAME.exec(name);
  if (!match) {
    throw new PipelineError('input_invalid', `"${name}" is not the name of an L1C product.`, {
      hint: 'Expected a name such as reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf; rename the file or build it again.',
    });
  }
  const [, level, type, year, month, day] = match;
  return [level, type, year, month, day, name].join('/');
}

/** Holds an artifact's name to CDF-4. @throws PipelineError `input_invalid` */
export function checkInputName(path: string): void {
  const name = basename(path);
  if (INPUT_NAME.test(name) && INPUT_TIME.test(name)) return;
  throw new PipelineError('input_invalid', `"${name}" does not say that it is a REACH file of some time (CDF-4).`, {
    hint: 'Expected "reach" and a YYYYMMDDTHHMMSS time in the name, as in REACH-ALL_20260101T000000_20260102T000000.csv.',
  });
}
