/** What a workspace's gate says to an operator: how it asks, what it waits for, and the receipt of politeness. */
import { readGateReport } from '../../gate/index.ts';
import type { GateReport, GateStats, RunReceipt } from '../../gate/index.ts';
import { ledgerAddress } from '../../ledger/address.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import type { CliContext } from './context.ts';
import { formatCount, formatSeconds } from './format.ts';

/**
 * The gate that a workspace used last, of this machine or in its ledger's database.
 *
 * @throws PipelineError `ledger_unavailable` when that database does not answer
 */
export async function gateReportOf(
  { environment }: CliContext,
  { gateFile, ledgerPath }: LocatedWorkspace,
): Promise<GateReport | null> {
  const address = ledgerAddress(environment.ledgerUrl, ledgerPath);
  return await readGateReport(gateFile, address.kind === 'postgres' ? address : null);
}

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
  const { origin, rate, cooldown, incident, holders } = report;
  const users = holders.map(({ pid, host, workspace: at }) => {
    const where = holders.length > 1 ? ` on ${host}` : '';
    return `process ${pid}${where} (workspace ${at ?? 'unknown'})`;
  });
  const use = users.length > 0 ? `in use by ${users.join(', ')}` : 'not in use';
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
