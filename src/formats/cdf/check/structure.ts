/**
 * The structure of a file: every byte belongs to a record, every record is sound, linked once, numbered and counted right.
 */
import { ADR, AGREDR, AZEDR, MAGIC_BYTES, RVDR, UIR, ZVDR } from '../records.ts';
import { readBlockIndex } from '../read/block-index.ts';
import { readCatalog } from '../read/catalog.ts';
import type { Catalog } from '../read/catalog.ts';
import type { RecordFile, RecordPrefix } from '../read/record-file.ts';
import type { ByteSource } from '../read/source.ts';
import { FormatError } from '../errors.ts';
import type { Findings } from './findings.ts';
import { checkMembers } from './members.ts';
import { RECORD_RULES } from './record-rules.ts';

/** @returns the catalog, `undefined` if the file is too broken to have one (which is then among the findings) */
export async function checkStructure(source: ByteSource, findings: Findings): Promise<Catalog | undefined> {
  const linked = new Set<number>();
  const catalog = await collect(findings, () => readCatalog(source, ({ offset }) => linked.add(offset)));
  if (!catalog) return undefined;
  const { records, eof } = catalog.header;
  for (const variable of catalog.variables) {
    const blocks = await collect(findings, () => readBlockIndex(records, variable));
    if (blocks) await collect(findings, () => checkMembers(records.source, variable, blocks, findings));
  }
  records.onRecord = undefined;
  const walked = await collect(findings, () => walk(records, eof, findings));
  if (walked) compareWithLinks(walked, linked, findings);
  await collect(findings, () => checkNumbers(catalog, findings));
  const trailing = source.sizeBytes - catalog.header.fileEnd;
  if (trailing > 0) findings.error('structure.end', 'file', `${trailing} bytes after its end that belong to nothing`);
  return catalog;
}

/** Runs a step; a typed refusal becomes a finding. */
export async function collect<T>(findings: Findings, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const where = error.offset === undefined ? 'file' : `byte ${error.offset}`;
    if (!findings.list.some(({ message }) => message === error.message)) {
      findings.error(`structure.${error.kind}`, where, error.message);
    }
    return undefined;
  }
}

async function walk(records: RecordFile, eof: number, findings: Findings): Promise<Map<number, RecordPrefix>> {
  const walked = new Map<number, RecordPrefix>();
  for (let offset = MAGIC_BYTES; offset < eof;) {
    const prefix = await records.prefix(offset);
    const rule = RECORD_RULES.get(prefix.type);
    const where = `${rule?.kind.what ?? 'record'} at ${offset}`;
    if (!rule) {
      findings.error('structure.record_type', where, `type ${prefix.type} does not exist`);
    } else {
      const record = await records.read(rule.kind, offset, rule.tailBytes);
      for (const [name, message] of rule.check(record)) findings.error(name, where, message);
    }
    walked.set(offset, prefix);
    offset += prefix.sizeBytes;
  }
  return walked;
}

function compareWithLinks(
  walked: ReadonlyMap<number, RecordPrefix>,
  linked: ReadonlySet<number>,
  findings: Findings,
): void {
  for (const { offset, type, sizeBytes } of walked.values()) {
    if (type === UIR.type || linked.has(offset)) continue;
    const what = RECORD_RULES.get(type)?.kind.what ?? 'record';
    findings.error('structure.unreachable', `${what} at ${offset}`, `${sizeBytes} bytes that nothing points to`);
  }
  for (const offset of linked) {
    if (!walked.has(offset))
      findings.error('structure.pointer', `byte ${offset}`, 'a pointer into the middle of a record');
  }
}

/** Positions, counts and highest numbers, which readers may take on trust. */
async function checkNumbers({ header }: Catalog, findings: Findings): Promise<void> {
  const { records, gdr } = header;
  const rVdrs = await records.readList(RVDR, gdr.rVdrHead, gdr.nrVars, ({ vdrNext }) => vdrNext);
  const zVdrs = await records.readList(ZVDR, gdr.zVdrHead, gdr.nzVars, ({ vdrNext }) => vdrNext);
  const adrs = await records.readList(ADR, gdr.adrHead, gdr.numAttr, ({ adrNext }) => adrNext);
  for (const list of [rVdrs, zVdrs, adrs]) {
    list.forEach(({ fields }, i) => {
      if (fields.num !== i) findings.error('structure.number', fields.name, `number ${fields.num} at position ${i}`);
    });
  }
  for (const { fields: adr } of adrs) {
    const gr = await records.readList(AGREDR, adr.agrEdrHead, adr.ngrEntries, ({ aedrNext }) => aedrNext);
    const z = await records.readList(AZEDR, adr.azEdrHead, adr.nzEntries, ({ aedrNext }) => aedrNext);
    for (const [entries, highest] of [
      [gr, adr.maxGrEntry],
      [z, adr.maxzEntry],
    ] as const) {
      const numbers = entries.map(({ fields }) => fields.num);
      const where = `attribute ${adr.name}`;
      if (numbers.some((num, i) => num <= (numbers[i - 1] ?? -1))) {
        findings.error('structure.entries', where, `entry numbers do not ascend: ${numbers.join(', ')}`);
      }
      if (highest !== Math.max(-1, ...numbers))
        findings.error('structure.entries', where, `highest entry is given as ${highest}`);
      if (entries.some(({ fields }) => fields.attrNum !== adr.num))
        findings.error('structure.entries', where, 'an entry of another attribute');
    }
    if (z.some(({ fields }) => fields.num >= gdr.nzVars)) {
      findings.error(
        'structure.entries',
        `attribute ${adr.name}`,
        `an entry for a variable beyond the ${gdr.nzVars} there are`,
      );
    }
  }
}
