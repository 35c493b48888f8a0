/** Values of a record as Python would print them: nested cells of the CSV are Python literals (UDL-29). */

/** A number as it stood in the JSON: copying the token keeps the exact value, also of integers above 2^53. */
export class NumberToken {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type JsonValue =
  | null
  | boolean
  | string
  | NumberToken
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonRecord = { readonly [key: string]: JsonValue };

/** Python's `repr` of the value that `json.loads` would make, numbers verbatim. */
export function pythonLiteral(value: JsonValue): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return pythonString(value);
  if (value instanceof NumberToken) return value.source;
  if (isList(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${pythonString(key)}: ${pythonLiteral(member)}`)
    .join(', ')}}`;
}

/** A JSON text as Python's `json.dumps` writes it: `, ` and `: `, non-ASCII as `\uXXXX`; numbers verbatim (UDL-30). */
export function pythonJson(value: JsonValue): string {
  if (value instanceof NumberToken) return value.source;
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return jsonString(value);
  if (isList(value)) return `[${value.map(pythonJson).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${jsonString(key)}: ${pythonJson(member)}`)
    .join(', ')}}`;
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Single quotes unless the text holds one and no double quote. */
function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // What Python calls unprintable: categories Other and Separator, except the space.
  const escaped = text.replaceAll(/[\\\p{C}\p{Z}]/gu, (character) =>
    character === ' ' ? ' ' : pythonEscape(character),
  );
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

function pythonEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return SHORT_ESCAPES[character] ?? `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
