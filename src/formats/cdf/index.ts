/**
 * NASA CDF version 3 for Node: write (streaming), read, check and compare files.
 *
 * Imports nothing but Node's own modules; knows nothing of the products stored in it. Start reading at README.md.
 */
export { FormatError } from './errors.ts';
export type { FormatErrorKind } from './errors.ts';
export { DATA_TYPES } from './data-types.ts';
export type { CdfType } from './data-types.ts';
export type { AttributeValue, CdfSchema, CdfValues, CdfVariable, CdfWriteOptions, CdfWriteResult } from './model.ts';
export { LEAP_SECONDS, LEAP_SECONDS_UPDATED } from './leap-seconds.ts';
export { posixMicrosToTt2000, posixMillisToTt2000, tt2000ToUtc, utcToTt2000 } from './tt2000.ts';
export { CdfWriter } from './write/writer.ts';
export { CdfReader, readCdf } from './read/reader.ts';
export type { CdfBatch, CdfContent, CdfReadOptions } from './read/reader.ts';
export type { AttributeEntry, CdfDescription, GlobalAttribute, VariableDescription } from './read/description.ts';
export { validateCdf } from './check/validate.ts';
export type { CdfReport, CdfValidateOptions } from './check/validate.ts';
export type { CdfFinding } from './check/findings.ts';
export { diffCdf } from './check/diff.ts';
export type { CdfDiffOptions, CdfDifference } from './check/diff.ts';
