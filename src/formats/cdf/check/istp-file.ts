/**
 * The ISTP rules about global attributes and the file's name.
 *
 * Source: ISTP/IACG guidelines, "Global Attributes" and "File Naming"; what spacepy's `FileChecks` expects.
 */
import { basename } from 'node:path';
import type { GlobalAttribute } from '../read/description.ts';
import type { Findings } from './findings.ts';

const REQUIRED = [
  'Data_type',
  'Data_version',
  'Descriptor',
  'Discipline',
  'Instrument_type',
  'Logical_file_id',
  'Logical_source',
  'Logical_source_description',
  'Mission_group',
  'PI_affiliation',
  'PI_name',
  'Project',
  'Source_name',
  'TEXT',
];
const RECOMMENDED = [
  'Acknowledgement',
  'Generated_by',
  'Generation_date',
  'HTTP_LINK',
  'MODS',
  'Rules_of_use',
  'TITLE',
];
const SINGLE = ['Data_type', 'Data_version', 'Descriptor', 'Logical_file_id', 'Logical_source', 'Source_name'];
const WITH_LONG_FORM = ['Data_type', 'Descriptor', 'Discipline', 'Source_name'];
const PARALLEL = ['HTTP_LINK', 'LINK_TEXT', 'LINK_TITLE'];

type Globals = ReadonlyMap<string, GlobalAttribute>;

export function checkGlobals(path: string, globals: Globals, findings: Findings): void {
  for (const name of REQUIRED) {
    if (!globals.get(name)?.entries.length)
      findings.error('istp.global_required', name, 'this global attribute is required');
  }
  const missing = RECOMMENDED.filter((name) => !globals.has(name));
  if (missing.length > 0)
    findings.warning('istp.global_recommended', 'file', `recommended attributes are missing: ${missing.join(', ')}`);
  for (const { name, entries } of globals.values()) {
    for (const { num, value } of entries) {
      if (value === '') findings.error('istp.empty_entry', name, `entry ${num} is empty; write one space`);
    }
    if (SINGLE.includes(name) && entries.length > 1)
      findings.error('istp.single_entry', name, `${entries.length} entries, expected one`);
    if (
      WITH_LONG_FORM.includes(name) &&
      entries.some(({ value }) => typeof value === 'string' && !/^[^>]+>[^>]+$/.test(value))
    ) {
      findings.warning('istp.long_form', name, 'expected SHORT>Long form');
    }
  }
  const links = PARALLEL.map((name) => globals.get(name)?.entries.length ?? 0);
  if (new Set(links).size > 1)
    findings.warning('istp.links', PARALLEL.join(', '), `${links.join(', ')} entries, expected as many of each`);
  checkFileName(basename(path, '.cdf'), globals, findings);
}

function checkFileName(name: string, globals: Globals, findings: Findings): void {
  const id = firstText(globals, 'Logical_file_id');
  if (id !== undefined && id !== name)
    findings.error('istp.file_id', 'Logical_file_id', `${id} is not the file's name ${name}`);
  const source = firstText(globals, 'Logical_source');
  if (source !== undefined && !name.startsWith(source)) {
    findings.error('istp.logical_source', 'Logical_source', `${source} does not begin the file's name ${name}`);
  }
  if (!/\d{8}/.test(name)) findings.error('istp.file_date', 'file', `the name ${name} has no date (eight digits)`);
  if (/[A-Z]/.test(name.replace(/\d{8}T\d/, '')))
    findings.warning('istp.file_case', 'file', `the name ${name} is not all lower case`);
}

function firstText(globals: Globals, name: string): string | undefined {
  const value = globals.get(name)?.entries[0]?.value;
  return typeof value === 'string' ? value : undefined;
}
