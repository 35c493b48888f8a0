/**
 * The ISTP rules about the attributes of one variable, and about the variables they point to.
 *
 * Source: ISTP/IACG guidelines, "Variable Attributes"; what spacepy's `VariableChecks` expects.
 */
import { dataType } from '../data-types.ts';
import type { VariableDescription } from '../read/description.ts';
import type { Findings } from './findings.ts';
import { numbersOf, textOf } from './scan.ts';

type Variables = ReadonlyMap<string, VariableDescription>;

const VAR_TYPES = ['data', 'support_data', 'metadata', 'ignore_data'];
const DISPLAY_TYPES = ['time_series', 'spectrogram', 'stack_plot', 'image', 'plasmagram', 'no_plot'];
const LENGTHS = { CATDESC: 80, FIELDNAM: 30, LABLAXIS: 10, UNITS: 20 };
export const TIME_TYPES = ['CDF_EPOCH', 'CDF_EPOCH16', 'CDF_TIME_TT2000'];
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** A variable as its rules see it. */
interface Subject {
  readonly variable: VariableDescription;
  readonly variables: Variables;
  readonly varType: string | undefined;
  readonly error: (rule: string, message: string) => void;
  readonly warning: (rule: string, message: string) => void;
}

export function checkVariable(variable: VariableDescription, variables: Variables, findings: Findings): void {
  const subject: Subject = {
    variable,
    variables,
    varType: textOf(variable, 'VAR_TYPE'),
    error: (rule, message) => findings.error(`istp.${rule}`, variable.name, message),
    warning: (rule, message) => findings.warning(`istp.${rule}`, variable.name, message),
  };
  checkTexts(subject);
  checkVarType(subject);
  checkUnits(subject);
  checkFill(subject);
  checkRange(subject);
  checkPointers(subject);
  checkDisplay(subject);
}

/** Time axis, data and what else changes with the records: these carry fill values and ranges. */
function isMeasured({ variable, varType }: Subject): boolean {
  return varType === 'data' || (varType === 'support_data' && variable.recordVarying);
}

function checkTexts({ variable, error, warning }: Subject): void {
  if (!NAME.test(variable.name)) error('name', 'a name is a letter, then letters, digits and underscores');
  for (const name of ['CATDESC', 'FIELDNAM', 'VAR_TYPE']) {
    if (textOf(variable, name) === undefined) error('required', `${name} is missing`);
  }
  if (!variable.attributes.has('FORMAT') && !variable.attributes.has('FORM_PTR'))
    error('required', 'FORMAT or FORM_PTR is missing');
  for (const [name, limit] of Object.entries(LENGTHS)) {
    const length = textOf(variable, name)?.length ?? 0;
    if (length > limit) warning('length', `${name} has ${length} characters, expected at most ${limit}`);
  }
  for (const [name, { value }] of variable.attributes) {
    if (value === '') error('empty_entry', `${name} is empty; write one space`);
  }
  const fieldnam = textOf(variable, 'FIELDNAM');
  if (fieldnam !== undefined && fieldnam !== variable.name)
    warning('fieldnam', `FIELDNAM ${fieldnam} is not the variable's name`);
}

function checkVarType({ variable, varType, error }: Subject): void {
  if (varType === undefined) return;
  if (!VAR_TYPES.includes(varType)) error('var_type', `VAR_TYPE ${varType} is none of ${VAR_TYPES.join(', ')}`);
  const isText = dataType(variable.type).kind === 'text';
  if (isText && varType === 'support_data') error('var_type', 'text is metadata, not support_data');
  if (!isText && varType === 'metadata') error('var_type', 'numbers are support_data or data, not metadata');
}

function checkUnits({ variable, varType, error }: Subject): void {
  if (varType !== 'data' && varType !== 'support_data') return;
  const count = ['UNITS', 'UNIT_PTR'].filter((name) => variable.attributes.has(name)).length;
  if (count !== 1)
    error('units', `${count === 0 ? 'neither UNITS nor' : 'both UNITS and'} UNIT_PTR; one space means no units`);
}

function checkFill(subject: Subject): void {
  const { variable, varType, error } = subject;
  const fill = variable.attributes.get('FILLVAL');
  if (!fill) {
    if (isMeasured(subject) || (varType === 'metadata' && variable.recordVarying))
      error('fillval', 'FILLVAL is missing');
    return;
  }
  if (fill.type !== variable.type) return error('fillval', `FILLVAL is ${fill.type}, the variable is ${variable.type}`);
  const { fill: expected, kind, bytes } = dataType(variable.type);
  if (kind === 'text') return;
  const wanted = bytes === 4 && kind === 'float' ? expected.map((value) => Math.fround(Number(value))) : expected;
  const [got, value] = [numbersOf(variable, 'FILLVAL')!, wanted.join(', ')];
  if (got.join(', ') !== value)
    error('fillval', `FILLVAL is ${got.join(', ')}, expected ${value} for ${variable.type}`);
}

function checkRange(subject: Subject): void {
  const { variable, error } = subject;
  for (const [low, high] of [
    ['VALIDMIN', 'VALIDMAX'],
    ['SCALEMIN', 'SCALEMAX'],
  ] as const) {
    for (const name of [low, high]) {
      const entry = variable.attributes.get(name);
      if (!entry && name.startsWith('VALID') && isMeasured(subject)) error('valid_range', `${name} is missing`);
      if (!entry) continue;
      if (entry.type !== variable.type)
        error('valid_range', `${name} is ${entry.type}, the variable is ${variable.type}`);
      const isPerElement = variable.dims.length === 1 && entry.value.length === variable.dims[0];
      if (entry.value.length !== 1 && !isPerElement && variable.type !== 'CDF_EPOCH16') {
        error('valid_range', `${name} has ${entry.value.length} values, expected one, or one per element`);
      }
    }
    const [lows, highs] = [numbersOf(variable, low), numbersOf(variable, high)];
    if (!lows || !highs || variable.type === 'CDF_EPOCH16') continue;
    if (lows.some((value, i) => value > highs[i % highs.length]!))
      error('valid_range', `${low} ${lows.join(', ')} exceeds ${high} ${highs.join(', ')}`);
    const fill = numbersOf(variable, 'FILLVAL')?.[0];
    if (low === 'VALIDMIN' && fill !== undefined && lows.length === 1 && fill >= lows[0]! && fill <= highs[0]!) {
      error('valid_range', `FILLVAL ${fill} lies inside VALIDMIN..VALIDMAX`);
    }
  }
}

function checkPointers(subject: Subject): void {
  const { variable, variables, error } = subject;
  const isTimeAxis = TIME_TYPES.includes(variable.type) && variable.dims.length === 0;
  if (variable.recordVarying && !isTimeAxis && !variable.attributes.has('DEPEND_0'))
    error('depend', 'DEPEND_0 is missing');
  for (const name of variable.attributes.keys()) {
    const axis = /^(DEPEND|LABL_PTR)_(\d)$/.exec(name);
    if (!axis && !/^DELTA_(PLUS|MINUS)_VAR$|^(FORM|UNIT|SCAL)_PTR$/.test(name)) continue;
    const target = variables.get(textOf(variable, name) ?? '');
    if (!target) error('pointer', `${name} names no variable: ${JSON.stringify(textOf(variable, name))}`);
    else if (axis) checkAxis(subject, name, axis[1]!, Number(axis[2]), target);
    else if (name.startsWith('DELTA')) checkDelta(subject, name, target);
  }
}

function checkAxis(
  { variable, error }: Subject,
  name: string,
  form: string,
  dim: number,
  target: VariableDescription,
): void {
  if (dim === 0) {
    const isTime = TIME_TYPES.includes(target.type) && target.recordVarying;
    if (form === 'DEPEND' && !isTime) error('depend', `${name} ${target.name} is no time axis`);
    return;
  }
  const size = variable.dims[dim - 1];
  if (size === undefined) return error('depend', `${name}, but the variable has ${variable.dims.length} dimensions`);
  if (target.dims.at(-1) !== size)
    error('depend', `${name} ${target.name} has ${target.dims.at(-1) ?? 'no'} elements, the dimension ${size}`);
  const isText = dataType(target.type).kind === 'text';
  if (form === 'LABL_PTR' && !isText) error('depend', `${name} ${target.name} is no text`);
  if (form === 'DEPEND' && target.recordVarying && !target.attributes.has('DEPEND_0')) {
    error('depend', `${name} ${target.name} varies with records and has no DEPEND_0`);
  }
}

function checkDelta({ variable, error }: Subject, name: string, target: VariableDescription): void {
  const differences = [
    target.type !== variable.type && 'type',
    textOf(target, 'UNITS') !== textOf(variable, 'UNITS') && 'UNITS',
    target.dims.join() !== variable.dims.join() && target.dims.length > 0 && 'dimensions',
    target.recordVarying && target.records !== variable.records && 'number of records',
  ].filter((difference) => difference !== false);
  if (differences.length > 0) error('delta', `${name} ${target.name} differs in ${differences.join(', ')}`);
}

function checkDisplay({ variable, varType, error, warning }: Subject): void {
  if (varType !== 'data' && varType !== 'support_data') return;
  const hasLabel = variable.attributes.has('LABLAXIS') || variable.attributes.has('LABL_PTR_1');
  if (!hasLabel && varType === 'data') error('label', 'LABLAXIS or LABL_PTR_1 is missing');
  if (!hasLabel && varType === 'support_data') warning('label', 'LABLAXIS or LABL_PTR_1 is missing');
  const scale = textOf(variable, 'SCALETYP');
  if (scale !== undefined && scale !== 'linear' && scale !== 'log')
    error('scaletyp', `SCALETYP ${scale} is neither linear nor log`);
  if (varType !== 'data') return;
  const display = textOf(variable, 'DISPLAY_TYPE');
  const kind = display?.split('>')[0]?.toLowerCase();
  if (kind === undefined) error('display_type', 'DISPLAY_TYPE is missing');
  else if (!DISPLAY_TYPES.includes(kind))
    error('display_type', `DISPLAY_TYPE ${display} is none of ${DISPLAY_TYPES.join(', ')}`);
  else if ((kind === 'time_series') !== (variable.dims.length === 0) && kind !== 'no_plot') {
    warning('display_type', `DISPLAY_TYPE ${display} for ${variable.dims.length} dimensions`);
  }
}
