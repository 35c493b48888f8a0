import { isCancellation, log, proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Activities, DayAttempt, StageResult } from '../activities/types.ts';
import { taskQueues } from '../core/backfill/ids.ts';
import { stopsRun } from '../core/backfill/range-state.ts';
import type { DayInput, DayResult, Stage } from '../core/backfill/types.ts';
import { dayDetails } from '../core/report/day-details.ts';
import { dayFailureOf, failDay } from './failure.ts';
import { COMPUTE, DOWNLOAD, LIGHT, UPLOAD } from './options.ts';

/**
 * One UTC day of one product: the stages that its plan asks for, in order, and the closing word in the ledger.
 *
 * @throws ApplicationFailure of the error's kind, with the stage in its details, when the day is given up or the run stops
 */
export async function processDay(input: DayInput): Promise<DayResult> {
  const { day, stages } = input;
  const { runId, parent } = workflowInfo();
  const attempt: DayAttempt = { input, workflowRunId: runId, ...(parent && { range: parent.workflowId }) };
  const { recordDay } = proxyActivities<Activities>({
    ...LIGHT,
    activityId: 'record',
    summary: `Close ${day} in the ledger`,
  });

  let result: DayResult = { day, outcome: 'done', seconds: 0, stagesDone: [] };
  let stage: Stage = stages[0] ?? 'download';
  let isUnchanged = false;
  try {
    for (stage of stages) {
      setCurrentDetails(dayDetails(input, result, stage));
      // Looked at again, the source had nothing new: what follows from new data is left out.
      if (isUnchanged && input.recheck?.anyway.includes(stage) !== true) continue;
      const done = await runStage(stage, attempt);
      const looked = done.outcome === 'unchanged';
      isUnchanged ||= looked;
      const stagesDone = looked ? result.stagesDone : [...result.stagesDone, stage];
      const outcome = done.outcome ?? (isUnchanged ? 'done' : result.outcome);
      result = { ...result, ...done, outcome, seconds: result.seconds + done.seconds, stagesDone };
      if (result.outcome === 'no_data') break;
    }
  } catch (error) {
    if (isCancellation(error)) throw error;
    const ended = dayFailureOf(error, stage);
    const requests = (ended.requests ?? 0) + (result.requests ?? 0);
    const failure = { ...ended, requests, stagesDone: result.stagesDone };
    // A stop of the whole run says nothing about this day: it stays open, neither failed nor done.
    if (stopsRun(failure)) log.warn('day not done', { ...failure });
    else await recordDay({ ...attempt, failure });
    throw failDay(failure);
  }
  setCurrentDetails(dayDetails(input, result, null));
  await recordDay(attempt);
  return result;
}

function runStage(stage: Stage, attempt: DayAttempt): Promise<StageResult> {
  const { day, workspace } = attempt.input;
  const queues = taskQueues(workspace);
  switch (stage) {
    case 'download': {
      const options = { ...DOWNLOAD, taskQueue: queues.download, activityId: stage, summary: `Download ${day}` };
      return proxyActivities<Activities>(options).downloadWindow(attempt);
    }
    case 'count':
      return proxyActivities<Activities>({ ...COMPUTE, activityId: stage, summary: `Count ${day}` }).countRecords(
        attempt,
      );
    case 'build': {
      const options = { ...COMPUTE, taskQueue: queues.build, activityId: stage, summary: `Build the CDF of ${day}` };
      const { buildCdf } = proxyActivities<Activities>(options);
      return attempt.input.staged === true ? buildElsewhere(attempt, buildCdf) : buildCdf(attempt);
    }
    case 'upload':
      return proxyActivities<Activities>({ ...UPLOAD, activityId: stage, summary: `Deliver ${day}` }).uploadProduct(
        attempt,
      );
  }
}

/** The worker with the folder hands the day's file to builders anywhere, and takes the product to its place. */
async function buildElsewhere(attempt: DayAttempt, buildCdf: Activities['buildCdf']): Promise<StageResult> {
  const { day } = attempt.input;
  const handOver = { ...UPLOAD, activityId: 'stage-input', summary: `Stage the file of ${day} for builders` };
  const staged = await proxyActivities<Activities>(handOver).stageInput(attempt);
  if (staged === null) return await buildCdf(attempt);
  const built = await buildCdf({ ...attempt, staged });
  const take = { ...UPLOAD, activityId: 'take-product', summary: `Take the CDF of ${day} to its place` };
  const taken = await proxyActivities<Activities>(take).takeProduct({ ...attempt, staged });
  return { ...built, ...taken, seconds: built.seconds + taken.seconds };
}
