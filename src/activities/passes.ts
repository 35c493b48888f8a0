/** Notes each go of the engine at a stage, so that a worker that vanished in the middle can be told of later. */
import { hostname } from 'node:os';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Stage } from '../core/backfill/types.ts';
import type { PassRow } from '../ledger/ledger.ts';
import type { ActivityDependencies } from './dependencies.ts';
import type { DayAttempt, StageResult } from './types.ts';

type StageActivity = (attempt: DayAttempt) => Promise<StageResult>;

/** What cannot be noted changes nothing of the stage. */
export function noted(deps: ActivityDependencies, stage: Stage, run: StageActivity): StageActivity {
  const note = async (pass: PassRow): Promise<void> => {
    try {
      await deps.ledger.putPass(pass);
    } catch (error) {
      deps.log.debug({ stage, day: pass.day, error: String(error) }, 'a pass could not be noted');
    }
  };
  return async (attempt) => {
    const { product, day } = attempt.input;
    const { workflowRunId } = attempt;
    const { attempt: pass } = Context.current().info;
    const began: PassRow = {
      product,
      day,
      workflowRunId,
      stage,
      pass,
      worker: `process ${process.pid} on ${hostname()}`,
      beganAt: new Date().toISOString(),
      endedAt: null,
      outcome: null,
      detail: null,
    };
    await note(began);
    const end = (outcome: string, detail: string | null): Promise<void> =>
      note({ ...began, endedAt: new Date().toISOString(), outcome, detail });
    try {
      const result = await run(attempt);
      await end('done', null);
      return result;
    } catch (error) {
      const kind = error instanceof ApplicationFailure ? (error.type ?? 'failed') : 'cancelled';
      await end(kind, kind === 'cancelled' ? null : (error as Error).message);
      throw error;
    }
  };
}
