/** The general way through one record: `JSON.parse`, then cells by name. Slow, right for everything. */
import { stringify } from 'csv-stringify/sync';
import type { ArtifactFormat } from '../../../core/product.ts';
import { NumberToken, pythonJson, pythonLiteral } from './python-literal.ts';
import type { JsonRecord, JsonValue } from './python-literal.ts';

/** What `JSON.parse` hands to a reviver beside key and value; the library's types do not know it yet. */
type SourceReviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;

const keepTokens: SourceReviver = (_key, value, context) =>
  typeof value === 'number' ? new NumberToken(context.source) : value;

/** @throws SyntaxError when `text` is no JSON */
export function parseJson(text: string): JsonValue {
  return JSON.parse(text, keepTokens as (key: string, value: unknown) => unknown) as JsonValue;
}

export function isRecord(value: JsonValue | undefined): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberToken);
}

/** The record as it stands in the artifact: a CSV row over `columns` with its line end, or a JSON object. */
export function writeRecord(record: JsonRecord, columns: readonly string[], format: ArtifactFormat): string {
  if (format === 'json') return pythonJson(record);
  const cells = columns.map((column) => (Object.hasOwn(record, column) ? cell(record[column] ?? null) : ''));
  return csvRow(cells);
}

/** One CSV line with CRLF, quoted only where needed (UDL-29). */
export function csvRow(cells: readonly string[]): string {
  return stringify([[...cells]], { record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

function cell(value: JsonValue): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : pythonLiteral(value);
}

/** Member `name` when it is a text, else null. */
export function textMember(record: JsonRecord, name: string): string | null {
  const value = Object.hasOwn(record, name) ? record[name] : null;
  return typeof value === 'string' ? value : null;
}

/** `seoList[0].obDescription`, empty when there is none. */
export function description(record: JsonRecord): string {
  const list = Object.hasOwn(record, 'seoList') ? record['seoList'] : null;
  const first = Array.isArray(list) ? (list as readonly JsonValue[])[0] : undefined;
  return isRecord(first) ? (textMember(first, 'obDescription') ?? '') : '';
}
