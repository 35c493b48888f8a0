/**
 * The telemetry CSV as an append-only projection of the ledger's `attempts`, in the order of their sequence numbers.
 *
 * The ledger remembers how far the file is written; a file that is not as it was left is repaired before anything is
 * appended. Only the holder of the workspace's lock may write (TEL-34).
 */
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from '../storage/atomic-file.ts';
import { crashPoint } from '../storage/crash-point.ts';
import { TELEMETRY_COLUMNS, csvLine, telemetryLine } from './telemetry-format.ts';
import type { AttemptRecord, TelemetryCursor, TelemetryLog } from './telemetry-log.ts';
import { repairTelemetry } from './telemetry-repair.ts';

export interface TelemetryExporter {
  /**
   * Brings the file up to date; when it settles, every row of the ledger is on the disk (TEL-2).
   *
   * @throws PipelineError `config_invalid` when the file is not a telemetry CSV
   */
  flush(): Promise<void>;
}

export interface TelemetryExporterOptions {
  readonly ledger: TelemetryLog;
  /** Absolute path of the CSV. */
  readonly path: string;
  /** Told what a repair did. */
  readonly onNotice?: (notice: string) => void;
}

/** Rows per write: about 700 kB. */
const BATCH = 2_000;

const NOTHING_WRITTEN: TelemetryCursor = { seq: 0, byteOffset: 0 };

export function createTelemetryExporter(options: TelemetryExporterOptions): TelemetryExporter {
  let running: Promise<void> = Promise.resolve();
  let queued: Promise<void> | null = null;
  return {
    // Whoever asks while a flush is running shares the next one: it covers all rows written until then.
    flush() {
      queued ??= running
        .catch(() => undefined)
        .then(() => {
          queued = null;
          running = flushNow(options);
          return running;
        });
      return queued;
    },
  };
}

async function flushNow({ ledger, path, onNotice = () => undefined }: TelemetryExporterOptions): Promise<void> {
  const size = await sizeOf(path);
  if (size === 0) {
    await createInFull(ledger, path);
    return;
  }
  let cursor = await ledger.telemetryCursor(path);
  if (cursor?.byteOffset !== size) {
    const repaired = await repairTelemetry({ ledger, path, cursor, onNotice });
    if (repaired === 'empty') {
      await createInFull(ledger, path);
      return;
    }
    cursor = repaired;
  }
  await appendAfter(ledger, path, cursor);
}

/** 0 for a missing file: both are filled from the beginning (TEL-2). */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

async function createInFull(ledger: TelemetryLog, path: string): Promise<void> {
  if ((await ledger.attemptsAfter(0, 1)).length === 0) return;
  await mkdir(dirname(path), { recursive: true });
  const cursor = await writeAtomically(path, async (file) => {
    const header = Buffer.from(csvLine(TELEMETRY_COLUMNS));
    await file.writeFile(header);
    let written = { ...NOTHING_WRITTEN, byteOffset: header.length };
    for await (const batch of batchesAfter(ledger, 0)) {
      await file.writeFile(batch.bytes);
      written = { seq: batch.lastSeq, byteOffset: written.byteOffset + batch.bytes.length };
    }
    return written;
  });
  await ledger.putTelemetryCursor(path, cursor);
}

async function appendAfter(ledger: TelemetryLog, path: string, cursor: TelemetryCursor): Promise<void> {
  for await (const batch of batchesAfter(ledger, cursor.seq)) {
    cursor = await appendDurably(ledger, path, cursor, batch);
  }
}

async function appendDurably(
  ledger: TelemetryLog,
  path: string,
  cursor: TelemetryCursor,
  batch: Batch,
): Promise<TelemetryCursor> {
  const file = await open(path, 'r+');
  try {
    await file.write(batch.bytes, 0, batch.bytes.length, cursor.byteOffset);
    await file.sync();
  } finally {
    await file.close();
  }
  crashPoint('telemetry-appended');
  const next = { seq: batch.lastSeq, byteOffset: cursor.byteOffset + batch.bytes.length };
  await ledger.putTelemetryCursor(path, next);
  return next;
}

interface Batch {
  readonly bytes: Buffer;
  readonly lastSeq: number;
}

async function* batchesAfter(ledger: TelemetryLog, seq: number): AsyncGenerator<Batch> {
  for (;;) {
    const rows: AttemptRecord[] = await ledger.attemptsAfter(seq, BATCH);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield { bytes: Buffer.from(rows.map(telemetryLine).join('')), lastSeq: last.seq };
    seq = last.seq;
  }
}
