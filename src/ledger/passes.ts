/** Rows of `passes`: each go of the engine at a stage of a day, who had it and how it ended. */
import type { Kysely, Selectable } from 'kysely';
import type { Ledger, PassRow } from './ledger.ts';
import type { LedgerTables } from './schema.ts';
import { storableText } from './storable-text.ts';

export function createPasses(db: Kysely<LedgerTables>): Pick<Ledger, 'putPass'> {
  return {
    async putPass(pass) {
      const row = toRow(pass);
      await db
        .insertInto('passes')
        .values(row)
        .onConflict((conflict) =>
          conflict.columns(['product', 'day', 'workflow_run_id', 'stage', 'pass']).doUpdateSet(row),
        )
        .execute();
    },
  };
}

function toRow(pass: PassRow): LedgerTables['passes'] {
  return {
    product: pass.product,
    day: pass.day,
    workflow_run_id: pass.workflowRunId,
    stage: pass.stage,
    pass: pass.pass,
    worker: pass.worker,
    began_at: pass.beganAt,
    ended_at: pass.endedAt,
    outcome: pass.outcome,
    detail: pass.detail === null ? null : storableText(pass.detail),
  };
}

export function toPass(row: Selectable<LedgerTables['passes']>): PassRow {
  return {
    product: row.product,
    day: row.day,
    workflowRunId: row.workflow_run_id,
    stage: row.stage,
    pass: row.pass,
    worker: row.worker,
    beganAt: row.began_at,
    endedAt: row.ended_at,
    outcome: row.outcome,
    detail: row.detail,
  };
}
