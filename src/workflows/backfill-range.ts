import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  log,
  ParentClosePolicy,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Activities } from '../activities/types.ts';
import { beginCooldown, endCooldown } from '../core/backfill/range-cooldown.ts';
import { checkConcurrency } from '../core/backfill/concurrency.ts';
import { dayWorkflowId, taskQueues, zarrWorkflowId } from '../core/backfill/ids.ts';
import * as range from '../core/backfill/range-state.ts';
import { failureList, progressOf, resultOf } from '../core/backfill/range-progress.ts';
import type { RangeResult } from '../core/backfill/range-progress.ts';
import type { RangeInput, RangeState, Step } from '../core/backfill/range-state.ts';
import type { DayInput, PlannedDay, RangeStateName } from '../core/backfill/types.ts';
import { rangeDetails } from '../core/report/range-details.ts';
import { SEARCH_ATTRIBUTES } from '../core/search-attributes.ts';
import type { Day } from '../core/time/day.ts';
import { emptyZarrResult } from '../core/zarr.ts';
import type { ZarrResult } from '../core/zarr.ts';
import { dayFailureOf, zarrFailureOf } from './failure.ts';
import * as messages from './messages.ts';
import { LIGHT } from './options.ts';
import { processDay } from './process-day.ts';
import { syncZarr } from './sync-zarr.ts';

/** Pause before a day that another range is doing is looked at again. */
const ELSEWHERE_RECHECK = '30s';
/** Pause before a store that another sync is writing is tried again. */
const ZARR_RECHECK = '5s';
/** How long failed days wait for an operator before the range ends by itself. */
const OPERATOR_WAIT = '24 hours';

/**
 * Backfills `first..last`: plans chunks of days, runs at most `concurrency` days at once as child workflows, keeps the
 * failed ones with their reason until they are retried or the range is finished. A failed day never ends the range.
 * Drains and continues as new before its history grows long.
 */
export async function backfillRange(input: RangeInput): Promise<RangeResult> {
  return await new RangeRun(input).run();
}

class RangeRun {
  readonly #input: RangeInput;
  readonly #state: RangeState;
  readonly #running = new Set<Day>();
  #startedHere = 0;
  #recheckTimer = false;
  #shownState = '';
  #shownFailed = 0;
  /** Changes with everything that may change the next step. */
  #version = 0;

  constructor(input: RangeInput) {
    this.#input = input;
    this.#state = input.carried ?? range.initialState(input);
    this.#setHandlers();
  }

  /** Goes on until nothing is left; a cancelled range closes after its days have stopped. */
  async run(): Promise<RangeResult> {
    try {
      return await this.#loop();
    } catch (error) {
      if (isCancellation(error)) {
        await CancellationScope.nonCancellable(() => condition(() => this.#running.size === 0));
      }
      throw error;
    }
  }

  async #loop(): Promise<RangeResult> {
    for (;;) {
      this.#show();
      const plansOn = (): boolean => patched('limit-plans-on');
      const step = range.nextStep(this.#state, this.#input, this.#running.size, this.#mustContinue(), plansOn);
      if (step.do === 'return') {
        const zarr = await this.#syncZarr();
        await condition(allHandlersFinished);
        return { ...this.#finish(), ...(zarr && { zarr }) };
      }
      if (step.do === 'continue_as_new') return await this.#continueAsNew();
      await this.#take(step);
    }
  }

  async #take(step: Exclude<Step, { do: 'return' | 'continue_as_new' }>): Promise<void> {
    switch (step.do) {
      case 'close_incident':
        await this.#downloadSide().closeIncident(step.incident);
        if (this.#state.incidentToClose === step.incident) this.#state.incidentToClose = null;
        return;
      case 'plan_chunk': {
        const plan = await this.#plan(step.first, step.last, this.#state.limitLeft, this.#input.options.retryFailed);
        range.applyChunkPlan(this.#state, this.#input, step, plan);
        return;
      }
      case 'plan_days': {
        const plan = await this.#plan(this.#input.first, this.#input.last, null, step.retryFailed, step.days);
        range.applyDayPlan(this.#state, this.#input, step.days, plan);
        return;
      }
      case 'start':
        this.#start(step.planned);
        return;
      case 'wait_for_operator': {
        if (this.#input.unattended) {
          this.#state.finishing = true;
          return;
        }
        const seen = this.#version;
        const changed = await condition(() => this.#version !== seen, OPERATOR_WAIT, {
          summary: 'failed days wait for retry or finish',
        });
        if (!changed) this.#state.finishing = true;
        return;
      }
      case 'wait': {
        this.#recheckLater();
        const seen = this.#version;
        await condition(() => this.#version !== seen);
      }
    }
  }

  #start(planned: PlannedDay): void {
    this.#state.queue.shift();
    this.#running.add(planned.day);
    this.#startedHere += 1;
    void this.#runDay(planned);
  }

  /** Never rejects: whatever becomes of the day ends up in the state. Cancellation of the range reaches `run` by itself. */
  async #runDay({ day, stages, reason, recheck, staged }: PlannedDay): Promise<void> {
    const { workspace, runId, product, options, searchAttributes } = this.#input;
    const common = { workspace, runId, product, day, stages, reason, options, searchAttributes };
    const dayInput: DayInput = { ...common, ...(recheck && { recheck }), ...(staged && { staged }) };
    try {
      const result = await executeChild(processDay, {
        workflowId: dayWorkflowId(workspace, product, day),
        args: [dayInput],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${product} ${day}: ${stages.join(', ')}`,
        staticDetails: `Why: ${reason}. Stages: ${stages.join(' → ')}. Asked for by \`${workflowInfo().workflowId}\`.`,
        ...(searchAttributes && {
          typedSearchAttributes: [
            { key: SEARCH_ATTRIBUTES.product, value: product },
            { key: SEARCH_ATTRIBUTES.day, value: day },
          ],
        }),
      });
      range.applyDayDone(this.#state, result);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) this.#state.elsewhere.push(day);
      else {
        const failure = dayFailureOf(error, stages[0] ?? 'download');
        const oneResume = range.needsNoSecondResume(this.#state, day, failure) && patched('one-resume');
        range.applyDayFailed(this.#state, day, failure, oneResume);
      }
    }
    this.#running.delete(day);
    this.#version += 1;
  }

  /** Days that failed do not hold up those that are there; a store that cannot be synced is told in the result. */
  async #syncZarr(): Promise<ZarrResult | null> {
    const { workspace, product, options } = this.#input;
    const target = options.zarr;
    if (!target) return null;
    for (;;) {
      try {
        return await executeChild(syncZarr, {
          workflowId: zarrWorkflowId(target.store),
          args: [{ workspace, product, target, rebuild: false }],
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          staticSummary: `${product} → ${target.store}`,
        });
      } catch (error) {
        if (isCancellation(error)) throw error;
        // Another range is at it, with a list that may be older than our days.
        if (error instanceof WorkflowExecutionAlreadyStartedError)
          await sleep(ZARR_RECHECK, { summary: 'another sync of the store' });
        else return { ...emptyZarrResult(target.store), failure: zarrFailureOf(error) };
      }
    }
  }

  #plan(first: Day, last: Day, limitDays: number | null, retryFailed: boolean, days?: readonly Day[]) {
    const { runId, product, options } = this.#input;
    const summary = days ? `Plan ${days.length} days again` : `Plan ${first}..${last}`;
    const { planRange } = proxyActivities<Activities>({ ...LIGHT, summary });
    return planRange({
      runId,
      product,
      first,
      last,
      options: { ...options, limitDays, retryFailed },
      ...(days && { days }),
    });
  }

  #downloadSide() {
    const { download } = taskQueues(this.#input.workspace);
    return proxyActivities<Activities>({
      ...LIGHT,
      taskQueue: download,
      summary: 'Close the incident; one probe decides',
    });
  }

  #recheckLater(): void {
    if (this.#recheckTimer || this.#state.elsewhere.length === 0) return;
    this.#recheckTimer = true;
    void sleep(ELSEWHERE_RECHECK, { summary: 'days that another range is doing' })
      .then(() => range.recheckElsewhere(this.#state))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      })
      .finally(() => {
        this.#recheckTimer = false;
        this.#version += 1;
      });
  }

  #beginCooldown(notice: unknown): void {
    const cooldown = beginCooldown(this.#state, notice);
    if (!cooldown) return;
    this.#version += 1;
    const { until, why, waitMs } = cooldown;
    void sleep(waitMs, { summary: `until ${until}: ${why}` })
      .then(() => endCooldown(this.#state, until))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      })
      .finally(() => {
        this.#version += 1;
      });
  }

  #mustContinue(): boolean {
    return this.#startedHere >= this.#input.maxDaysPerRun || workflowInfo().continueAsNewSuggested;
  }

  async #continueAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    // Nothing runs any more: who waited for a cooldown has ended.
    const carried: RangeState = { ...this.#state, cooldown: null, runs: this.#state.runs + 1 };
    range.recheckElsewhere(carried);
    return await continueAsNew<typeof backfillRange>({ ...this.#input, carried });
  }

  #finish(): RangeResult {
    const result = resultOf(this.#input, this.#state);
    log.info('range finished', {
      done: result.totals.done,
      failed: result.failedDays,
      notAttempted: result.notAttempted,
    });
    this.#upsert('Done');
    return result;
  }

  /** Keeps current details (free) and search attributes (one event per change) up to date. */
  #show(): void {
    const progress = progressOf(this.#input, this.#state, [...this.#running]);
    setCurrentDetails(rangeDetails(progress));
    this.#upsert(progress.state);
  }

  #upsert(state: RangeStateName): void {
    const failed = range.failedCount(this.#state);
    if (!this.#input.searchAttributes || (state === this.#shownState && failed === this.#shownFailed)) return;
    upsertSearchAttributes([
      { key: SEARCH_ATTRIBUTES.state, value: state },
      { key: SEARCH_ATTRIBUTES.failedDays, value: failed },
    ]);
    this.#shownState = state;
    this.#shownFailed = failed;
  }

  #setHandlers(): void {
    const state = this.#state;
    const changed = (): void => {
      this.#version += 1;
    };
    setHandler(
      messages.pauseSignal,
      (reason) => {
        range.pause(state, reason);
        changed();
      },
      { description: 'Start no new days; running ones drain. Argument: a reason, shown to everyone.' },
    );
    setHandler(
      messages.resumeSignal,
      () => {
        range.resume(state, [...this.#running]);
        changed();
      },
      { description: "End a pause, the operator's or the source's (closes its incident)." },
    );
    setHandler(
      messages.retryFailedDaysSignal,
      (days) => {
        range.retryFailed(state, days);
        changed();
      },
      { description: 'Try failed days again: all, or a list such as ["2025-09-01"].' },
    );
    setHandler(
      messages.finishSignal,
      () => {
        state.finishing = true;
        changed();
      },
      { description: 'Let running days drain, then end the range with what it has.' },
    );
    setHandler(messages.cooldownSignal, (notice) => this.#beginCooldown(notice), {
      description: 'Sent by downloads: the source asks for a long pause. Changes what is shown, nothing else.',
    });
    setHandler(
      messages.setConcurrencyUpdate,
      (days) => {
        const former = state.concurrency;
        state.concurrency = days;
        changed();
        return former;
      },
      { validator: checkConcurrency, description: 'Days under way at once, 1 to 32.' },
    );
    setHandler(messages.progressQuery, () => progressOf(this.#input, state, [...this.#running]), {
      description: 'Counts, running days, latest failures, pause.',
    });
    setHandler(messages.failedDaysQuery, () => failureList(state, range.MAX_FAILURES_KEPT), {
      description: 'Failed days with stage, kind and message.',
    });
  }
}
