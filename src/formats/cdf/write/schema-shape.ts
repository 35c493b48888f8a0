/**
 * The outer form of a schema at run time. Node drops types without checking them, so a schema may be anything; past
 * this point the other steps take it for what its type says.
 */
import { FormatError } from '../errors.ts';
import type { CdfSchema, CdfVariable } from '../model.ts';

/** @throws FormatError `schema_invalid` naming the part */
export function checkShape(schema: CdfSchema): void {
  const { variables, globalAttributes = [] }: Partial<CdfSchema> = isObject(schema) ? schema : {};
  mustBe(isObject(schema), 'schema', 'an object with variables', schema);
  mustBe(Array.isArray(variables), 'variables', 'a list', variables);
  mustBe(Array.isArray(globalAttributes), 'globalAttributes', 'a list of [name, [value, …]]', globalAttributes);
  for (const attribute of globalAttributes) {
    mustBe(isPair(attribute), 'global attribute', 'a pair of name and list of values', attribute);
    const [name, values] = attribute;
    mustBe(Array.isArray(values), `global attribute ${name}`, 'a list of values', values);
    for (const value of values) checkValue(`global attribute ${name}`, value);
  }
  for (const variable of variables!) {
    mustBe(isObject(variable) && typeof variable.name === 'string', 'variable', 'an object with a name', variable);
    const { name, type, dims = [], recordVarying, attributes = [] } = variable;
    checkChoices(variable);
    mustBe(typeof recordVarying === 'boolean', `variable ${name}: recordVarying`, 'true or false', recordVarying);
    mustBe(typeof type === 'string', `variable ${name}: type`, 'the name of a CDF data type', type);
    mustBe(Array.isArray(dims), `variable ${name}: dims`, 'a list of sizes', dims);
    mustBe(Array.isArray(attributes), `variable ${name}: attributes`, 'a list of [name, value]', attributes);
    for (const attribute of attributes) {
      mustBe(isPair(attribute), `attribute of variable ${name}`, 'a pair of name and value', attribute);
      checkValue(`attribute ${attribute[0]} of variable ${name}`, attribute[1]);
    }
  }
}

function checkChoices({ name, charPadding, charOverflow, monotonic }: CdfVariable): void {
  const choices = { charPadding: ['nul', 'space'], charOverflow: ['refuse', 'truncate'], monotonic: ['strict'] };
  const chosen = { charPadding, charOverflow, monotonic };
  for (const [key, words] of Object.entries(choices)) {
    const value = chosen[key as keyof typeof chosen];
    const isKnown = value === undefined || words.includes(value);
    mustBe(isKnown, `variable ${name}: ${key}`, words.map(brief).join(' or '), value);
  }
}

function checkValue(where: string, value: unknown): void {
  const isNumbers = isObject(value) && 'type' in value && 'values' in value && Array.isArray(value.values);
  mustBe(typeof value === 'string' || isNumbers, where, "text, or numbers as { type: 'CDF_…', values: […] }", value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string';
}

function mustBe(isRight: boolean, what: string, expected: string, value: unknown): void {
  if (!isRight) throw new FormatError('schema_invalid', what, { expected, got: brief(value) });
}

/** A value as a message can show it. */
export function brief(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list that begins with ${brief(value[0])}`;
  if (isObject(value)) return value.constructor?.name === 'Object' ? 'an object' : `a ${value.constructor?.name}`;
  return String(value);
}
