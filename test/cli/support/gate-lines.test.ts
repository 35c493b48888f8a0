import { describe, expect, test } from 'vitest';
import { gateLines, latestReceipt, receiptLine, receiptOf } from '../../../src/cli/support/gate-lines.ts';
import type { GateReport, RunReceipt } from '../../../src/gate/index.ts';

const STATS = { requests: 288, rateLimited: 2, secondsWaited: 34, worstSecond: 12 };
const receipt = (runId: string, workspace: string, lastMs: number): RunReceipt => ({
  runId,
  workspace,
  lastMs,
  ...STATS,
});

const REPORT: GateReport = {
  origin: 'https://source.example',
  rate: 12.5,
  cooldown: null,
  incident: null,
  holder: null,
  holders: [],
  receipts: {
    total: { ...STATS, requests: 12_345 },
    runs: [receipt('r2', 'ws', 20), receipt('r1', 'ws', 10), receipt('r3', 'other', 30)],
  },
};

describe('what the gate says', () => {
  test('the receipt of politeness: requests, 429s, seconds held back, the worst second', () => {
    expect(receiptLine(STATS)).toBe(
      'politeness: 288 requests, 2 × 429, held back for 34.0 s, at most 12 in one second',
    );
    expect(receiptLine({ ...STATS, requests: 1 })).toContain('1 request,');
  });

  test('of a run by its id, of a workspace by its latest; none where there is none', () => {
    expect(receiptOf(REPORT, 'r1')?.lastMs).toBe(10);
    expect(receiptOf(REPORT, 'r9')).toBeNull();
    expect(receiptOf(null, 'r1')).toBeNull();
    expect(latestReceipt(REPORT, 'ws')?.runId).toBe('r2');
    expect(latestReceipt(REPORT, null)).toBeNull();
  });

  test('at rest: rate and receipts', () => {
    const lines = gateLines(REPORT, 'ws');
    expect(lines[0]).toBe('Gate of https://source.example: 12.5 requests/s allowed, not in use');
    expect(lines.slice(1)).toEqual([
      expect.stringContaining('run r2: politeness: 288 requests'),
      expect.stringContaining('all runs: politeness: 12,345 requests'),
    ]);
  });

  test('SAFE-2, SAFE-4: what is waited for until when and why, and what shut it', () => {
    const text = gateLines(
      {
        ...REPORT,
        cooldown: { until: '2025-09-01T12:00:00.000Z', why: 'the source answered 429' },
        incident: { id: 'i', reason: 'auth_rejected', since: '2025-09-01T11:00:00.000Z', why: 'it refused' },
        holders: [{ pid: 7, host: 'h', command: 'c', since: '', workspace: '/srv/ws' }],
      },
      'ws',
    ).join('\n');
    expect(text).toContain('in use by process 7 (workspace /srv/ws)');
    expect(text).toContain('waiting until 2025-09-01T12:00:00Z: the source answered 429');
    expect(text).toContain('shut since 2025-09-01T11:00:00Z: it refused');
  });

  test('several hosts that share it, each by name', () => {
    const holder = (pid: number, host: string) => ({ pid, host, command: 'c', since: '', workspace: '/srv/ws' });
    const [first] = gateLines({ ...REPORT, holders: [holder(7, 'alpha'), holder(9, 'beta')] }, 'ws');
    expect(first).toContain('in use by process 7 on alpha (workspace /srv/ws), process 9 on beta (workspace /srv/ws)');
  });
});
