/** `attempts` as the source of the telemetry CSV, and how far a CSV has been written. */
import type { Kysely, Selectable } from 'kysely';
import type { AttemptsTable, LedgerTables } from './schema.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

/** A row of `attempts` with absolute paths. */
export type AttemptRecord = Readonly<Selectable<AttemptsTable>>;

/** Up to which row, and to which byte, a CSV holds the ledger's rows. */
export interface TelemetryCursor {
  readonly seq: number;
  readonly byteOffset: number;
}

export interface TelemetryLog {
  /** Rows after `seq` in order of writing, at most `limit`. */
  attemptsAfter(seq: number, limit: number): Promise<AttemptRecord[]>;
  /** Runs that have rows after `seq`. */
  runsAfter(seq: number): Promise<string[]>;
  telemetryCursor(path: string): Promise<TelemetryCursor | null>;
  putTelemetryCursor(path: string, cursor: TelemetryCursor): Promise<void>;
}

export function createTelemetryLog(db: Kysely<LedgerTables>, paths: WorkspacePaths): TelemetryLog {
  return {
    async attemptsAfter(seq, limit) {
      const rows = await db
        .selectFrom('attempts')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map((row) => absoluteAttempt(row, paths));
    },

    async runsAfter(seq) {
      const rows = await db.selectFrom('attempts').select('run_id').distinct().where('seq', '>', seq).execute();
      return rows.map(({ run_id: run }) => run);
    },

    async telemetryCursor(path) {
      const row = await db
        .selectFrom('telemetry_exports')
        .select(['seq', 'byte_offset'])
        .where('path', '=', paths.toStored(path))
        .executeTakeFirst();
      return row === undefined ? null : { seq: row.seq, byteOffset: row.byte_offset };
    },

    async putTelemetryCursor(path, { seq, byteOffset }) {
      const row = { path: paths.toStored(path), seq, byte_offset: byteOffset };
      await db
        .insertInto('telemetry_exports')
        .values(row)
        .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
        .execute();
    },
  };
}

export function absoluteAttempt(row: Selectable<AttemptsTable>, paths: WorkspacePaths): AttemptRecord {
  const absolute = (stored: string | null): string | null => (stored === null ? null : paths.toAbsolute(stored));
  return { ...row, artifact_path: absolute(row.artifact_path), product_path: absolute(row.product_path) };
}
