/** What the ledger says as a whole: failures by cause, what hosts refused, how quickly days come in (TRACK-12). */
import type { FailureCause, HostRefusals, LedgerReports, Throughput } from '../../ledger/reports.ts';
import { formatBytes, formatCount, formatTable } from './format.ts';

export interface LedgerSummary {
  readonly causes: readonly FailureCause[];
  readonly refusals: readonly HostRefusals[];
  /** Slices with an answer that is kept because it could not be read. */
  readonly unreadSlices: number;
  /** Downloads of the last 24 hours. */
  readonly throughput: Throughput & { readonly daysPerHour: number | null };
}

const HOUR_MS = 3_600_000;

export async function summarize(ledger: LedgerReports, nowMs: number): Promise<LedgerSummary> {
  const since = new Date(nowMs - 24 * HOUR_MS).toISOString();
  const [causes, refusals, unreadSlices, throughput] = await Promise.all([
    ledger.failureCauses(),
    ledger.hostRefusals(),
    ledger.unreadSlices(),
    ledger.throughput(since),
  ]);
  return { causes, refusals, unreadSlices, throughput: { ...throughput, daysPerHour: daysPerHour(throughput) } };
}

/** Between the first and the last of them, so that hours without a run do not count; null below three days. */
function daysPerHour({ days, firstAt, lastAt }: Throughput): number | null {
  if (days < 3 || firstAt === null || lastAt === null) return null;
  const spanMs = Date.parse(lastAt) - Date.parse(firstAt);
  return spanMs <= 0 ? null : ((days - 1) / spanMs) * HOUR_MS;
}

export function summaryLines({ causes, refusals, unreadSlices, throughput }: LedgerSummary): string[] {
  const lines: string[] = [];
  const { days, records, bytes } = throughput;
  if (days > 0) {
    const rate = throughput.daysPerHour === null ? '' : `, ${throughput.daysPerHour.toFixed(1)} days an hour`;
    lines.push('', `Last 24 hours: ${days} days, ${formatCount(records)} records, ${formatBytes(bytes)}${rate}`);
  }
  if (causes.length > 0) {
    const rows = causes.map(({ product, phase, kind, days: failed, firstDay, lastDay }) => [
      product,
      phase,
      kind,
      String(failed),
      firstDay === lastDay ? firstDay : `${firstDay} … ${lastDay}`,
    ]);
    lines.push('', 'Failed days by cause:', formatTable(['product', 'phase', 'cause', 'days', 'which'], rows, [3]));
  }
  if (refusals.length > 0) {
    const rows = refusals.map(({ host, kind, requests, latestAt }) => [
      host,
      kind,
      formatCount(requests),
      latestAt.slice(0, 19).replace('T', ' '),
    ]);
    lines.push('', 'Requests that brought nothing:', formatTable(['host', 'kind', 'requests', 'latest'], rows, [2]));
  }
  if (unreadSlices > 0) {
    lines.push('', `Answers of ${formatCount(unreadSlices)} slices could not be read and are kept whole.`);
    lines.push('  → reachback reprocess --dry-run   (says which of them this version can read)');
  }
  return lines;
}
