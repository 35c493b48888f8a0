/**
 * The ISTP rules: global attributes, variables, and what the values must be for them.
 */
import { basename } from 'node:path';
import { tt2000ToUtc } from '../tt2000.ts';
import type { CdfReader } from '../read/reader.ts';
import type { VariableDescription } from '../read/description.ts';
import type { Findings } from './findings.ts';
import { checkGlobals } from './istp-file.ts';
import { checkVariable, TIME_TYPES } from './istp-variable.ts';
import { textOf } from './scan.ts';
import type { Value, ValueScan } from './scan.ts';

/** @param scans - by variable; `undefined` for text and for values that could not be read */
export function checkIstp(
  path: string,
  reader: CdfReader,
  scans: ReadonlyMap<string, ValueScan | undefined>,
  findings: Findings,
): void {
  checkGlobals(path, reader.globalAttributes, findings);
  const lower = new Map<string, string>();
  for (const variable of reader.variables.values()) {
    const same = lower.get(variable.name.toLowerCase());
    if (same !== undefined) findings.warning('istp.name_case', variable.name, `differs from ${same} by case alone`);
    lower.set(variable.name.toLowerCase(), variable.name);
    checkVariable(variable, reader.variables, findings);
    checkRecords(variable, reader.variables, findings);
    const scan = scans.get(variable.name);
    if (scan) checkValues(variable, scan, findings);
  }
  const axes = new Set([...reader.variables.values()].map((variable) => textOf(variable, 'DEPEND_0')));
  for (const name of axes) {
    const [axis, scan] = [reader.variables.get(name ?? ''), scans.get(name ?? '')];
    if (axis && scan && TIME_TYPES.includes(axis.type)) checkTimeAxis(path, axis, scan, findings);
  }
}

function checkRecords(
  { name, records, recordVarying, ...rest }: VariableDescription,
  variables: CdfReader['variables'],
  findings: Findings,
): void {
  const axis = rest.attributes.get('DEPEND_0')?.value;
  const expected = typeof axis === 'string' ? variables.get(axis)?.records : undefined;
  if (recordVarying && expected !== undefined && records !== expected) {
    findings.error('istp.record_count', name, `${records} records, its time axis has ${expected}`);
  }
}

function checkValues(
  { name, attributes }: VariableDescription,
  { nans, outside, firstOutside }: ValueScan,
  findings: Findings,
): void {
  if (nans > 0) findings.error('istp.nan', name, `${nans} NaN; missing values are FILLVAL`);
  if (outside > 0 && (attributes.has('VALIDMIN') || attributes.has('VALIDMAX'))) {
    findings.error(
      'istp.valid_range',
      name,
      `${outside} values outside VALIDMIN..VALIDMAX that are not fill, first ${firstOutside}`,
    );
  }
}

function checkTimeAxis(
  path: string,
  { name, type }: VariableDescription,
  { isIncreasing, fills, first, last }: ValueScan,
  findings: Findings,
): void {
  if (!isIncreasing) findings.error('istp.time_order', name, 'times do not increase from record to record');
  if (fills > 0) findings.error('istp.time_fill', name, `${fills} times are fill`);
  const fileDay = /\d{8}/.exec(basename(path))?.[0];
  if (first === undefined || last === undefined || fileDay === undefined) return;
  const days = [first, last].map((value) => dayOf(value, type));
  if (days.some((day) => day !== undefined && day !== fileDay)) {
    findings.error('istp.time_day', name, `times of ${days.join(' to ')} in a file of ${fileDay}`);
  }
}

const YEAR_ZERO_MS = 62_167_219_200_000; // from 0000-01-01 to 1970-01-01

/** yyyymmdd, `undefined` for what has no date here. */
function dayOf(value: Value, type: string): string | undefined {
  try {
    const text =
      type === 'CDF_TIME_TT2000' ? tt2000ToUtc(BigInt(value)) : new Date(Number(value) - YEAR_ZERO_MS).toISOString();
    return text.slice(0, 10).replaceAll('-', '');
  } catch {
    return undefined;
  }
}
