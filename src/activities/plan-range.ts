import type { PlanRequest, PlanResult } from '../core/backfill/types.ts';
import { isPipelineError } from '../core/errors.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { planDays } from './plan/plan-days.ts';

/**
 * Plans the days of a request, and looks at their destination before any of them is begun: nothing is downloaded for a
 * bucket that does not exist. A destination that is only out of reach now may be back when the first product is ready.
 *
 * @throws PipelineError `config_invalid`, `path_owned`; no day is begun then
 */
export async function planRange(deps: ActivityDependencies, request: PlanRequest): Promise<PlanResult> {
  const plan = markStaged(deps, await planDays(deps.planning, request));
  const { uploadTo } = request.options;
  if (uploadTo === null || !plan.days.some(({ stages }) => stages.includes('upload'))) return plan;
  try {
    await deps.destinationAt(uploadTo).check();
  } catch (error) {
    if (!isPipelineError(error) || error.retry !== 'later') throw error;
    deps.log.warn({ destination: uploadTo }, error.message);
  }
  return plan;
}

/** Whether builders may be on hosts without the folder is known to this worker alone; their days are told so. */
function markStaged({ staging }: ActivityDependencies, plan: PlanResult): PlanResult {
  if (staging?.side !== 'home') return plan;
  return { ...plan, days: plan.days.map((day) => (day.stages.includes('build') ? { ...day, staged: true } : day)) };
}
