/**
 * Figures for Prometheus, beside those of Temporal's SDK (which has the waits in task queues): requests and what became of
 * them, waits at the gate, stages, records and bytes. Names and tags are public. Counts; decides nothing.
 */
import type { MetricMeter } from '@temporalio/common';
import type { Activities, DayAttempt, StageResult } from './activities/types.ts';
import type { Stage } from './core/backfill/types.ts';
import type { Gate, Permit } from './gate/index.ts';

const SHOW_GATE_EVERY_MS = 1_000;

/** Upper ends in seconds: stages last up to hours, waits up to a cooldown. */
export const HISTOGRAM_BUCKETS = {
  reachback_stage_duration: [0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600],
  reachback_gate_wait: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
};

/** Counts stages, their seconds, records and bytes; an attempt that failed counts too, with its outcome. */
export function measureActivities(activities: Activities, meter: MetricMeter): Activities {
  const ended = meter.createCounter('reachback_stage_attempts', undefined, 'Attempts of stages, by outcome');
  const seconds = meter.createHistogram(
    'reachback_stage_duration',
    'float',
    'seconds',
    'Wall-clock seconds of a stage',
  );
  const records = meter.createCounter('reachback_records', undefined, 'Records of downloaded days');
  const bytes = meter.createCounter('reachback_bytes', undefined, 'Bytes of finished files, by kind');
  const measured =
    (stage: Stage, work: (attempt: DayAttempt) => Promise<StageResult>) =>
    async (attempt: DayAttempt): Promise<StageResult> => {
      const startedAt = performance.now();
      let outcome = 'failed';
      try {
        const result = await work(attempt);
        outcome = result.outcome ?? 'done';
        if (stage === 'download') records.add(result.records ?? 0);
        if (result.downloadBytes !== undefined) bytes.add(result.downloadBytes, { kind: 'download' });
        if (result.productBytes !== undefined) bytes.add(result.productBytes, { kind: 'product' });
        return result;
      } finally {
        ended.add(1, { stage, outcome });
        seconds.record((performance.now() - startedAt) / 1_000, { stage, outcome });
      }
    };
  return {
    ...activities,
    downloadWindow: measured('download', (attempt) => activities.downloadWindow(attempt)),
    countRecords: measured('count', (attempt) => activities.countRecords(attempt)),
    buildCdf: measured('build', (attempt) => activities.buildCdf(attempt)),
    uploadProduct: measured('upload', (attempt) => activities.uploadProduct(attempt)),
  };
}

/** The same gate, with its requests counted. */
export function measureGate(gate: Gate, meter: MetricMeter): Gate {
  const requests = meter.createCounter('reachback_requests', undefined, 'Requests that were sent and have ended');
  const answers = meter.createCounter('reachback_answers', undefined, 'How requests ended; rate_limited is a 429');
  const waits = meter.createHistogram(
    'reachback_gate_wait',
    'float',
    'seconds',
    'Seconds that requests waited for their turn',
  );
  const counted = (permit: Permit): Permit => {
    let open = true;
    return {
      report429: (headers) => permit.report429(headers),
      release(outcome) {
        if (open && outcome.kind !== 'unsent') {
          requests.add(1);
          answers.add(1, { outcome: outcome.kind });
        }
        open = false;
        permit.release(outcome);
      },
    };
  };
  const measured = (inner: Gate): Gate => ({
    config: inner.config,
    open: () => inner.open(),
    close: () => inner.close(),
    forRun: (run) => measured(inner.forRun(run)),
    keep: () => inner.keep(),
    async acquire(signal) {
      const startedAt = performance.now();
      const permit = await inner.acquire(signal);
      waits.record((performance.now() - startedAt) / 1_000);
      return counted(permit);
    },
    refusal: () => inner.refusal(),
    snapshot: () => inner.snapshot(),
    failPass: () => inner.failPass(),
    closeIncident: (id) => inner.closeIncident(id),
  });
  return measured(gate);
}

/** Shows the gate's pace, queue and pauses once a second. @returns ends it */
export function showGate(gate: Gate, meter: MetricMeter): () => void {
  const rate = meter.createGauge('reachback_gate_rate', 'float', undefined, 'Requests per second allowed now');
  const inFlight = meter.createGauge('reachback_gate_in_flight', 'int', undefined, 'Requests under way');
  const waiting = meter.createGauge('reachback_gate_waiting', 'int', undefined, 'Requests that wait for their turn');
  const cooldown = meter.createGauge(
    'reachback_gate_cooldown_seconds',
    'float',
    undefined,
    'Seconds left of a pause of the source',
  );
  const shut = meter.createGauge(
    'reachback_gate_shut',
    'int',
    undefined,
    '1 while an incident is open, until "resume"',
  );
  const show = (): void => {
    const now = gate.snapshot();
    rate.set(now.rate);
    inFlight.set(now.inFlight);
    waiting.set(now.waiting);
    cooldown.set(now.cooldown ? Math.max(0, (now.cooldown.untilMs - Date.now()) / 1_000) : 0);
    shut.set(now.incident ? 1 : 0);
  };
  show();
  const timer = setInterval(show, SHOW_GATE_EVERY_MS).unref();
  return () => clearInterval(timer);
}
