/** What a workspace's gate says to an operator: how it asks, what it waits for, and the receipt of politeness. */
import type { GateReport, GateStats, RunReceipt } from '../../gate/index.ts';
import { formatCount, formatSeconds } from './format.ts';

/** `politeness: 288 requests, 2 × 429, held back for 34 s, at most 12 in one second` */
export function receiptLine(receipt: GateStats): string {
  const { requests, rateLimited, secondsWaited, worstSecond } = receipt;
  const asked = `${formatCount(requests)} ${requests === 1 ? 'request' : 'requests'}`;
  return `politeness: ${asked}, ${rateLimited} × 429, held back for ${formatSeconds(secondsWaited)}, at most ${worstSecond} in one second`;
}

/** The receipt of a run; null when it sent no request, or its gate is on another machine. */
export function receiptOf(report: GateReport | null, runId: string): RunReceipt | null {
  return report?.receipts.runs.find((receipt) => receipt.runId === runId) ?? null;
}

/** The latest run of a workspace that sent requests. */
export function latestReceipt({ receipts }: GateReport, workspace: string | null): RunReceipt | null {
  const own = receipts.runs.filter((receipt) => receipt.workspace === workspace);
  return own.toSorted((a, b) => b.lastMs - a.lastMs)[0] ?? null;
}

export function gateLines(report: GateReport, workspace: string | null): string[] {
  const { origin, rate, cooldown, incident, holder } = report;
  const use = holder ? `in use by process ${holder.pid} (workspace ${holder.workspace ?? 'unknown'})` : 'not in use';
  const latest = latestReceipt(report, workspace);
  return [
    `Gate of ${origin}: ${rate.toFixed(1)} requests/s allowed, ${use}`,
    ...(cooldown ? [`  waiting until ${cooldown.until.slice(0, 19)}Z: ${cooldown.why}`] : []),
    ...(incident
      ? [`  shut since ${incident.since.slice(0, 19)}Z: ${incident.why} → reachback resume, or repeat the run command`]
      : []),
    ...(latest ? [`  run ${latest.runId}: ${receiptLine(latest)}`] : []),
    `  all runs: ${receiptLine(report.receipts.total)}`,
  ];
}
