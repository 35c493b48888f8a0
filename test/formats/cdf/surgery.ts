/**
 * Damage on purpose: changes single fields of a file, found by walking its records.
 */
import { readFile, writeFile } from 'node:fs/promises';

const TYPES = { CDR: 1, GDR: 2, ADR: 4, AgrEDR: 5, VXR: 6, VVR: 7, zVDR: 8, AzEDR: 9, CPR: 11, CVVR: 13 } as const;

export type Anatomy = (type: keyof typeof TYPES, nth?: number) => number;

/**
 * @param change - gets the bytes and a way to find the offset of the nth record of a type; returns other bytes, if any
 * @returns path of the changed copy
 */
export async function operate(
  path: string,
  name: string,
  change: (bytes: Buffer, find: Anatomy) => Buffer | void,
): Promise<string> {
  const bytes = await readFile(path);
  const records: { readonly offset: number; readonly type: number }[] = [];
  const eof = Number(bytes.readBigInt64BE(320 + 36));
  for (let offset = 8; offset < eof; offset += Number(bytes.readBigInt64BE(offset))) {
    records.push({ offset, type: bytes.readInt32BE(offset + 8) });
  }
  const find: Anatomy = (type, nth = 0) => {
    const record = records.filter((candidate) => candidate.type === TYPES[type])[nth];
    if (!record) throw new Error(`the file has no ${type} number ${nth}`);
    return record.offset;
  };
  const changed = change(bytes, find) ?? bytes;
  const target = path.replace(/[^/]*$/, `${name}.cdf`);
  await writeFile(target, changed);
  return target;
}
