/** The ledger over any Kysely database: puts its parts together. */
import type { Kysely } from 'kysely';
import { createAdoption } from './adopt.ts';
import { createAlertStore } from './alerts.ts';
import type { AlertStore } from './alerts.ts';
import { createArtifactStore } from './artifacts.ts';
import { createAttemptWriter } from './attempts.ts';
import { readDayFacts } from './day-facts.ts';
import type { Ledger } from './ledger.ts';
import { createOwnership } from './ownership.ts';
import type { LedgerOwnership } from './ownership.ts';
import type { LedgerReports } from './reports.ts';
import type { LedgerTables } from './schema.ts';
import { createPasses } from './passes.ts';
import { createRollUp } from './roll-up.ts';
import type { RollUp } from './roll-up.ts';
import { createSliceStore } from './slices.ts';
import { createSourceChecks } from './source-checks.ts';
import { createSqlReports } from './sql-reports.ts';
import { createTelemetryLog } from './telemetry-log.ts';
import type { TelemetryLog } from './telemetry-log.ts';
import { createZarrRecords } from './zarr-days.ts';
import { createAttemptImport } from './telemetry-import.ts';
import type { AttemptImport } from './telemetry-import.ts';
import { createToldDays } from './told-days.ts';
import type { ToldDays } from './told-days.ts';
import { workspacePaths } from './workspace-paths.ts';

/** Everything a ledger offers: what the pipeline writes, what reports read, what the telemetry CSV and messages are made from. */
export type SqlLedger = Ledger &
  LedgerReports &
  TelemetryLog &
  AlertStore &
  AttemptImport &
  ToldDays &
  LedgerOwnership &
  RollUp;

export interface SqlLedgerOptions {
  readonly db: Kysely<LedgerTables>;
  /** The workspace folder. */
  readonly root: string;
  /** POSIX milliseconds. */
  readonly now: () => number;
  /** Gives up the connection; called once. */
  readonly disconnect: () => void;
}

export function createSqlLedger({ db, root, now, disconnect }: SqlLedgerOptions): SqlLedger {
  const paths = workspacePaths(root);
  let closed = false;
  return {
    ...createAttemptWriter({ db, paths, now }),
    ...createSliceStore(db),
    ...createArtifactStore({ db, paths, now }),
    ...createPasses(db),
    ...createSourceChecks(db),
    ...createAdoption({ db, paths, now }),
    ...createSqlReports(db, paths),
    ...createTelemetryLog(db, paths),
    ...createZarrRecords({ db, paths, now }),
    ...createAlertStore(db, now),
    ...createAttemptImport(db, paths),
    ...createToldDays(db, paths),
    ...createOwnership(db, now),
    ...createRollUp(db),
    dayFacts: (product, first, last, destination) => readDayFacts(db, paths, { product, first, last, destination }),
    async close() {
      if (closed) return;
      closed = true;
      await db.destroy();
      disconnect();
    },
  };
}
