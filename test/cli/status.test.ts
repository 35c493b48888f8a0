import { describe, expect, test } from 'vitest';
import { statusText } from '../../src/cli/status.ts';
import { DAY, progress } from './support/views.ts';

type Status = Parameters<typeof statusText>[0];

const NOTHING: Status = {
  workspace: '/srv/ws',
  name: null,
  uiUrl: null,
  ranges: [],
  states: [],
  failures: [],
  summary: null,
  checks: [],
  gate: null,
  serverAway: null,
  away: null,
};
const ID = 'backfill/ws-1f2e/reach-all/quicklook/2025-09-01..2025-09-30';
const FAILED_DAY = {
  day: DAY,
  product: 'reach-all/quicklook',
  phase: 'build',
  kind: 'input_invalid',
  message: 'No records.',
};

describe('status tells what runs, what is done, what failed, and the next command', () => {
  test('a place where nothing was done yet', () => {
    const text = statusText(NOTHING);
    expect(text).toContain('Workspace /srv/ws (none yet)');
    expect(text).toContain('Nothing runs.');
    expect(text).toContain('reachback run --start-date');
  });

  test('a database that is away: what runs all the same, and that no request leaves meanwhile', () => {
    const away = 'The ledger postgres://keeper@db/ledger does not answer: connect ECONNREFUSED.';
    const ranges = [{ workflowId: ID, progress: progress({ state: 'Running' }) }];
    const text = statusText({ ...NOTHING, name: 'ws-1f2e', ranges, away });
    expect(text).toContain(`${ID}: Running`);
    expect(text).toContain(away);
    expect(text).toContain('No request leaves while it is away');
    expect(text).not.toContain('holds no day yet');
  });

  test('a server that is away: what is done and what failed all the same', () => {
    const serverAway = 'The Temporal server at 127.0.0.1:7233 cannot be reached: nobody listens there.';
    const failures = [FAILED_DAY] as unknown as Status['failures'];
    const text = statusText({ ...NOTHING, name: 'ws-1f2e', failures, serverAway });
    expect(text).toContain(`What runs is not known: ${serverAway}`);
    expect(text).not.toContain('Nothing runs.');
    expect(text).toContain('No records. (input_invalid)');
  });

  test('days by phase and state', () => {
    const states = [
      { product: 'reach-all/quicklook', phase: 'download', destination: null, status: 'DOWNLOADED', days: 12 },
      { product: 'reach-all/quicklook', phase: 'upload', destination: 'file:///out', status: 'FAILED', days: 1 },
    ] as unknown as Status['states'];
    const lines = statusText({ ...NOTHING, name: 'ws-1f2e', states }).split('\n');
    expect(lines[0]).toBe('Workspace /srv/ws (ws-1f2e)');
    expect(lines.slice(-2)).toEqual([
      'reach-all/quicklook  download  DOWNLOADED    12',
      'reach-all/quicklook  upload    FAILED         1  file:///out',
    ]);
  });

  test("days against the source's own count, and how many may still change (SAFE-13)", () => {
    const checks = [
      { product: 'reach-all/quicklook', state: 'verified', days: 12, notFinal: 3 },
      { product: 'reach-all/quicklook', state: 'differs', days: 1, notFinal: 1 },
    ] as const;
    const lines = statusText({ ...NOTHING, checks }).split('\n');
    expect(lines.slice(-4)).toEqual([
      "product              against the source's count  days  not final",
      expect.stringMatching(/^[-─ ]+$/) as string,
      'reach-all/quicklook  verified                      12          3',
      'reach-all/quicklook  differs                        1          1',
    ]);
  });

  const operator = { by: 'operator', reason: 'lunch' } as const;
  test.for([
    ['Running', {}, '', ['watch']],
    ['NeedsAttention', {}, ' (waits for you to decide on its failed days)', ['retry-failed', 'finish']],
    ['Paused', { pause: operator }, ' (lunch)', ['resume']],
  ] as const)(
    'an open range that is %s: what it waits for, and commands that run as they stand',
    ([state, more, why, next]) => {
      const ranges = [{ workflowId: ID, progress: progress({ state, settledDays: 7, failedDays: 2, ...more }) }];
      const lines = statusText({ ...NOTHING, ranges }).split('\n');
      expect(lines).toContain(`${ID}: ${state}${why}, 7/30 days settled, 2 failed`);
      expect(lines.filter((line) => line.includes('→'))).toEqual(
        next.map((verb) => `  → reachback ${verb} '${ID}' --workspace /srv/ws`),
      );
    },
  );

  test('a pause says why; a range whose worker is away says that', () => {
    const pause = { by: 'source', reason: 'It failed.' } as const;
    const ranges = [
      { workflowId: 'a', progress: progress({ state: 'NeedsAttention', pause }) },
      { workflowId: 'b', progress: null },
    ];
    const text = statusText({ ...NOTHING, ranges });
    expect(text).toContain('a: NeedsAttention (the source stopped it: It failed.), ');
    expect(text).toContain("reachback resume 'a'");
    expect(text).toContain('reachback worker --workspace /srv/ws');
    expect(text).toContain('b: open, but no worker answers');
  });

  test('TRACK-12: failures by cause, requests refused by host, and how quickly days come in', () => {
    const summary = {
      causes: [
        {
          product: 'reach-all/quicklook',
          phase: 'download',
          kind: 'slice_exhausted',
          days: 2,
          firstDay: '2025-09-01',
          lastDay: '2025-09-07',
        },
      ],
      refusals: [{ host: '127.0.0.1:9', kind: 'wrong_kind', requests: 1234, latestAt: '2025-11-21T05:05:54.414Z' }],
      throughput: { days: 5, records: 5_000_000, bytes: 1_048_576, firstAt: 'a', lastAt: 'b', daysPerHour: 12.34 },
    } as unknown as Status['summary'];
    const text = statusText({ ...NOTHING, summary });
    expect(text).toMatch(/reach-all\/quicklook +download +slice_exhausted +2 +2025-09-01 … 2025-09-07/);
    expect(text).toMatch(/127\.0\.0\.1:9 +wrong_kind +1,234 +2025-11-21 05:05:54/);
    expect(text).toContain('Last 24 hours: 5 days, 5,000,000 records, 1.00 MiB, 12.3 days an hour');
  });

  test('failed days, and the command that fits: their range open or not', () => {
    const failures = [FAILED_DAY] as unknown as Status['failures'];
    const over = statusText({ ...NOTHING, failures });
    expect(over).toContain('  2025-09-01 reach-all/quicklook build: No records. (input_invalid)');
    expect(over).toContain('repeat the run command with --retry-failed');
    const open = statusText({ ...NOTHING, failures, ranges: [{ workflowId: ID, progress: progress() }] });
    expect(open).toContain('reachback retry-failed');
  });
});
