/** What the web UI shows of a range while it runs: a short page of Markdown, made from its progress alone. */
import type { RangeProgress } from '../backfill/range-progress.ts';
import type { RangeInput } from '../backfill/range-state.ts';
import type { RangeStateName } from '../backfill/types.ts';
import { checksText } from '../records/source-check.ts';
import { countDays } from '../time/day.ts';

/** One line for lists: product, days, destination. */
export function rangeSummary({ product, first, last, options }: RangeInput): string {
  const days = countDays(first, last);
  const target = options.uploadTo ? ` → ${options.uploadTo}` : '';
  return `${product} ${first}..${last} (${days} ${days === 1 ? 'day' : 'days'})${target}`;
}

/** What the range is and how to steer it, in Markdown. */
export function rangeHelp(workflowId: string, input: RangeInput): string {
  const signal = 'temporal workflow signal -w "$range" --name';
  return [
    `Backfill of **${input.product}**, ${input.first} to ${input.last}, workspace \`${input.workspace}\`, mode \`${input.options.mode}\`, profile \`${input.options.profile}\`.`,
    '',
    'Steer it from here ("Send a Signal") or from a shell:',
    '',
    '```',
    `range='${workflowId}'`,
    `${signal} pause --input '"why"'`,
    `${signal} resume`,
    `${signal} retryFailedDays`,
    `${signal} finish`,
    '```',
  ].join('\n');
}

/** Rough time left, in minutes, from the stage seconds of finished days; null until one is finished. */
export function estimatedMinutesLeft(progress: RangeProgress): number | null {
  const finished = progress.totals.done + progress.totals.noData;
  if (finished === 0 || progress.unsettledDays === 0) return null;
  return ((progress.totals.busySeconds / finished) * progress.unsettledDays) / Math.max(1, progress.concurrency) / 60;
}

/** What a state means, for someone who has read nothing else; the runbook has more. */
const MEANING: Readonly<Record<RangeStateName, string>> = {
  Planning: 'looks which days have work',
  Running: 'days are under way',
  Paused: 'no new days start until the signal `resume`',
  Cooldown: 'the source asked for a pause; it ends by itself',
  NeedsAttention: 'waits for you, see below',
  Finishing: 'running days come to their end, no new ones start',
  Done: 'nothing is left',
};

export function rangeDetails(progress: RangeProgress): string {
  const { totals } = progress;
  const skipped = totals.skipped.existing + totals.skipped.noData + totals.skipped.failed + totals.skipped.noInput;
  const minutes = estimatedMinutesLeft(progress);
  // A line, not a table: the web UI sets the cells of one without any space between them.
  const days = [
    [totals.done, 'done'],
    [totals.noData, 'without data'],
    [skipped, 'with nothing to do'],
    [progress.failedDays, 'failed'],
    [progress.running.length, 'running'],
    [progress.queued, 'queued'],
  ]
    .map(([count, what]) => `${count === 0 ? count : `**${count}**`} ${what}`)
    .join(' · ');
  const lines = [
    `**${progress.state}**: ${MEANING[progress.state]}. ${progress.settledDays} of ${progress.totalDays} days settled` +
      (minutes === null ? '' : `, about ${Math.max(1, Math.round(minutes))} min left`),
    '',
    `Days: ${days}`,
    '',
    `Records: ${totals.records.toLocaleString('en-US')} · requests: ${totals.requests.toLocaleString('en-US')} · days at once: ${progress.concurrency}`,
  ];
  const checks = checksText(totals.checks);
  if (checks !== '') lines.push(`Days against the source's own count: ${checks}`);
  if (progress.pause) {
    lines.push('', `**Paused by the ${progress.pause.by}**: ${progress.pause.reason}`);
    if (progress.pause.hint) lines.push(progress.pause.hint);
    lines.push('Send the signal `resume` to go on, `finish` to end the range here.');
  }
  if (progress.cooldown && !progress.pause) {
    lines.push('', `**Waiting until ${progress.cooldown.until}**: ${progress.cooldown.why}. It goes on by itself.`);
  }
  if (progress.running.length > 0) lines.push('', `Running: ${progress.running.join(', ')}`);
  if (progress.elsewhere.length > 0)
    lines.push(`Waiting for another range to finish: ${progress.elsewhere.join(', ')}`);
  if (progress.recentFailures.length > 0) {
    lines.push('', 'Failed days (signal `retryFailedDays` tries them again, `finish` leaves them):', '');
    for (const failure of progress.recentFailures) {
      lines.push(`- \`${failure.day}\` ${failure.stage}: ${failure.message} (${failure.kind})`);
    }
  }
  return lines.join('\n');
}
