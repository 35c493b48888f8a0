/** What a run says at its end: the counters of spec/telemetry.md §9 and a table of days. */
import type { RangeResult } from '../../core/backfill/range-progress.ts';
import type { DayLine } from '../../ledger/reports.ts';
import { formatBytes, formatCount, formatSeconds, formatTable } from './format.ts';

/** Days listed one by one; longer ranges are summed up, `status` lists their failures. */
const LONGEST_TABLE = 62;

/** The closing line: counters by their reference names, old failures apart (CLI-D11), and the run id. */
export function countersLine(result: RangeResult): string {
  const { mode, totals } = result;
  const { skipped, stages } = totals;
  const planned =
    totals.done +
    totals.noData +
    skipped.existing +
    skipped.noData +
    skipped.failed +
    skipped.noInput +
    result.failedDays;
  const counters: Record<string, number> = {
    planned: planned + result.notAttempted,
    // Alone, "downloaded" adds up with the others (TEL-28): a day whose count failed is failed, not both.
    ...(mode === 'download' && { downloaded: totals.done }),
    ...(mode === 'run' && { downloaded: stages.download - totals.noData }),
    ...(mode !== 'download' && { processed: stages.build, uploaded: stages.upload }),
    skipped_existing: skipped.existing,
    ...(mode !== 'process' && { skipped_no_data: skipped.noData + totals.noData }),
    ...(mode === 'process' && { skipped_no_input: skipped.noInput }),
    failed: result.failedDays + skipped.failed,
    not_attempted: result.notAttempted,
    ...totals.checks,
  };
  const text = Object.entries(counters).map(([name, value]) => `${name}=${value}`);
  const old = skipped.failed > 0 ? ` (${skipped.failed} failed before and not retried: add --retry-failed)` : '';
  return `${mode}: ${text.join(' ')} requests=${totals.requests} run_id=${result.runId}${old}`;
}

export function dayTable(days: readonly DayLine[]): string {
  if (days.length === 0 || days.length > LONGEST_TABLE) return '';
  const rows = days.map((day) => {
    const bytes = day.productBytes ?? day.downloadBytes;
    const seconds = [day.downloadSeconds, day.buildSeconds, day.uploadSeconds].filter((value) => value !== null);
    return [
      day.day,
      stateWords(day),
      day.records === null ? '' : formatCount(day.records),
      day.availabilityPct === null ? '' : `${day.availabilityPct.toFixed(1)} %`,
      bytes === null ? '' : formatBytes(bytes),
      seconds.length === 0 ? '' : formatSeconds(seconds.reduce((sum, value) => sum + value, 0)),
      day.check ?? '',
      isFailed(day) ? '' : (day.deliveredKey ?? day.productPath ?? ''),
    ];
  });
  const table = formatTable(
    ['day', 'state', 'records', 'available', 'size', 'time', 'source count', 'product'],
    rows,
    [2, 3, 4, 5],
  );
  const destinations = new Set(
    days.flatMap(({ deliveredKey, destination }) => (deliveredKey === null ? [] : [destination])),
  );
  return [table, ...[...destinations].map((destination) => `delivered to ${destination}`)].join('\n');
}

/** Whether a phase's latest word is FAILED: what stands on the disk then is of an earlier run. */
function isFailed({ download, build, upload }: DayLine): boolean {
  return [download, build, upload].includes('FAILED');
}

/** The latest word of the latest phase that has one, in an operator's words. */
function stateWords(day: DayLine): string {
  if (isFailed(day)) return 'failed';
  const { download, build, upload } = day;
  const latest = upload ?? build ?? download;
  if (latest === 'SKIPPED_NO_DATA') return 'no data';
  if (latest === 'SKIPPED_NO_INPUT') return 'no input';
  return latest === null ? '' : latest.toLowerCase().replaceAll('_', ' ');
}

/** Days whose records the source counts otherwise, each with what is known of it: nothing of that passes in silence. */
export function differenceLines(days: readonly DayLine[]): string[] {
  return days
    .filter(({ check }) => check === 'differs')
    .slice(0, 20)
    .map(({ day, checkReason }) => `  ${day} differs: ${checkReason ?? 'no reason kept'}`);
}

export function failureLines(result: RangeResult): string[] {
  return result.failures
    .slice(0, 20)
    .map(
      ({ day, stage, kind, message, hint }) =>
        `  ${day} ${stage}: ${message} (${kind})${hint ? `\n      → ${hint}` : ''}`,
    );
}
