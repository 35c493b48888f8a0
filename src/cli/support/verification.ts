/** Whether what the ledger says is there is there, and is what it was: files of the workspace, objects delivered. */
import { isPipelineError } from '../../core/errors.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactKind, ArtifactRow, DeliveryRow } from '../../ledger/ledger.ts';
import type { LedgerReports, ReportScope } from '../../ledger/reports.ts';
import type { Destination, StoredContent } from '../../storage/destination.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { explainFsError } from '../../storage/folders.ts';

/** `unreadable`: it could not be looked at, so that nothing is known. */
export type Problem = 'missing' | 'size' | 'content' | 'unreadable';

export interface Finding {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly what: ArtifactKind | 'upload';
  /** Absolute path, or destination and key. */
  readonly where: string;
  readonly problem: Problem;
  readonly detail: string;
}

export interface Verification {
  readonly files: number;
  readonly uploads: number;
  readonly bytesRead: number;
  readonly findings: readonly Finding[];
}

export interface VerifyOptions {
  readonly scope: ReportScope;
  /** Reads uploads too, not only what their destination says of them. */
  readonly deep: boolean;
  readonly destinationAt: (base: string) => Destination;
}

/** Files read at once. */
const WIDTH = 4;

export async function verify(ledger: LedgerReports, options: VerifyOptions): Promise<Verification> {
  const files = await ledger.presentFiles(options.scope);
  const deliveries = await ledger.deliveries(options.scope);
  const ofFiles = await mapBounded(files, verifyFile);
  const ofUploads = await mapBounded(deliveries, (delivery) => verifyUpload(delivery, options));
  const read = files.filter((_file, index) => ofFiles[index] === null);
  return {
    files: files.length,
    uploads: deliveries.length,
    bytesRead: read.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    findings: [...ofFiles, ...ofUploads].filter((finding) => finding !== null),
  };
}

/** @returns null when the file is as recorded */
export async function verifyFile({
  product,
  day,
  kind,
  path,
  sizeBytes,
  sha256,
}: ArtifactRow): Promise<Finding | null> {
  const as = { product, day, what: kind, where: path };
  try {
    return compared(as, { sizeBytes, sha256 }, await fileDigest(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return compared(as, { sizeBytes, sha256 }, null);
    return { ...as, problem: 'unreadable', detail: explainFsError(error) };
  }
}

async function verifyUpload(
  { product, day, destination, key, sizeBytes, sha256 }: DeliveryRow,
  { deep, destinationAt }: VerifyOptions,
): Promise<Finding | null> {
  const as = { product, day, what: 'upload', where: `${destination}/${key}` } as const;
  try {
    return compared(as, { sizeBytes, sha256 }, await destinationAt(destination).look(key, deep));
  } catch (error) {
    if (!isPipelineError(error)) throw error;
    return { ...as, problem: 'unreadable', detail: error.message };
  }
}

function compared(
  as: Pick<Finding, 'product' | 'day' | 'what' | 'where'>,
  expected: { sizeBytes: number; sha256: string },
  found: StoredContent | null,
): Finding | null {
  if (found === null) return { ...as, problem: 'missing', detail: 'nothing is there' };
  if (found.sizeBytes !== expected.sizeBytes) {
    return { ...as, problem: 'size', detail: `${found.sizeBytes} bytes, expected ${expected.sizeBytes}` };
  }
  if (found.sha256 === null || found.sha256 === expected.sha256) return null;
  return { ...as, problem: 'content', detail: `SHA-256 ${found.sha256}, expected ${expected.sha256}` };
}

async function mapBounded<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, runner));
  return results;
}
