/**
 * Is a file sound, and does it follow the ISTP rules? Structure, checksum, every compressed block, metadata, values.
 */
import { FormatError } from '../errors.ts';
import { CdfReader } from '../read/reader.ts';
import { FileSource } from '../read/source.ts';
import { Findings } from './findings.ts';
import type { CdfFinding } from './findings.ts';
import { checkIstp } from './istp.ts';
import { scanValues } from './scan.ts';
import type { ValueScan } from './scan.ts';
import { checkStructure, collect } from './structure.ts';

/** What is checked beside structure, checksum and readability. */
export interface CdfValidateOptions {
  /** Check the ISTP rules for names, attributes and values too. Default `true`. */
  readonly istp?: boolean;
}

/** What a check found. */
export interface CdfReport {
  readonly path: string;
  readonly sizeBytes: number;
  /** `unknown` if the file could not be read that far. */
  readonly checksum: 'ok' | 'absent' | 'mismatch' | 'unknown';
  readonly variables: number;
  readonly findings: readonly CdfFinding[];
  /** No errors; there may be warnings. */
  readonly isValid: boolean;
}

/** @throws errors of the file system alone: whatever is wrong with the content is a finding */
export async function validateCdf(path: string, options: CdfValidateOptions = {}): Promise<CdfReport> {
  const findings = new Findings();
  const source = await FileSource.open(path);
  let sizeBytes: number;
  try {
    sizeBytes = source.sizeBytes;
    await checkStructure(source, findings);
  } finally {
    await source.close();
  }
  const content = await checkContent(path, options.istp ?? true, findings);
  const isValid = findings.list.every(({ severity }) => severity === 'warning');
  return { path, sizeBytes, ...content, findings: findings.list, isValid };
}

async function checkContent(
  path: string,
  istp: boolean,
  findings: Findings,
): Promise<Pick<CdfReport, 'checksum' | 'variables'>> {
  let reader: CdfReader;
  try {
    reader = await CdfReader.open(path, { verifyChecksum: false });
  } catch (error) {
    if (error instanceof FormatError) return { checksum: 'unknown', variables: 0 }; // reported by the structure check
    throw error;
  }
  try {
    const checksum = await verifyChecksum(reader, findings);
    const scans = new Map<string, ValueScan | undefined>();
    for (const variable of reader.variables.values()) {
      scans.set(variable.name, await collect(findings, () => scanValues(reader, variable)));
    }
    if (istp) checkIstp(path, reader, scans, findings);
    return { checksum, variables: reader.variables.size };
  } finally {
    await reader.close();
  }
}

async function verifyChecksum(reader: CdfReader, findings: Findings): Promise<CdfReport['checksum']> {
  if (!reader.description.hasChecksum) return 'absent';
  const isOk = await collect(findings, () => reader.verifyChecksum());
  return isOk ? 'ok' : 'mismatch';
}
