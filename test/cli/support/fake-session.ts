/** A session whose ranges live in the test: every call of the client is noted, its answers are scripted. */
import type { RangeHandle } from '../../../src/client.ts';
import type { Session } from '../../../src/cli/support/session.ts';
import type { RangeProgress, RangeResult } from '../../../src/core/backfill/range-progress.ts';
import type { RangeInput } from '../../../src/core/backfill/range-state.ts';
import { rangeWorkflowId } from '../../../src/core/backfill/ids.ts';
import { LAST, DAY, progress, result } from './views.ts';

export const RANGE_ID = rangeWorkflowId('test', 'reach-all/quicklook', DAY, LAST);

export const INPUT: RangeInput = {
  workspace: 'test',
  runId: 'the-new-run',
  product: 'reach-all/quicklook',
  first: DAY,
  last: LAST,
  options: progress().options,
  concurrency: 2,
  maxDaysPerRun: 250,
  searchAttributes: true,
};

export interface Script {
  /** Whether this process runs server and worker. */
  readonly owned?: boolean;
  /** What the open range says, look by look; the last one stays. None: no range is open. */
  readonly open?: readonly RangeProgress[];
  /** How waiting for the range's result ends. */
  readonly ends?: () => Promise<RangeResult>;
  readonly lost?: Promise<never>;
  /** Workflow ids that the list of open ranges names. */
  readonly openRanges?: readonly string[];
}

export function fakeSession(script: Script): { session: Session; calls: string[] } {
  const calls: string[] = [];
  const looks = [...(script.open ?? [])];
  let isOpen = looks.length > 0;
  const over = (): void => {
    isOpen = false;
  };
  const handle = {
    workflowId: RANGE_ID,
    cancel: async () => {
      calls.push('cancel');
      over();
    },
  } as unknown as RangeHandle;
  const client = {
    startRange: async () => {
      calls.push(isOpen ? 'start refused' : 'start');
      return { started: !isOpen, handle };
    },
    progress: async () => (looks.length > 1 ? looks.shift() : looks[0]),
    resume: async () => void calls.push('resume'),
    setConcurrency: async (_handle: RangeHandle, days: number) => void calls.push(`concurrency ${days}`),
    range: (workflowId: string) => ({ workflowId }),
    pause: async ({ workflowId }: RangeHandle, reason: string) => void calls.push(`pause ${workflowId}: ${reason}`),
    openRanges: async () => (script.openRanges ?? []).map((workflowId) => ({ workflowId, startedAt: new Date(0) })),
    finish: async () => {
      calls.push('finish');
      over();
    },
    result: async () => {
      calls.push('wait for its end');
      return await (script.ends ?? (async () => result()))();
    },
    dayActivity: async () => null,
  };
  const session = {
    client,
    address: '127.0.0.1:7233',
    owned: script.owned ?? true,
    uiUrl: null,
    searchAttributes: true,
    lost: script.lost ?? new Promise<never>(() => undefined),
    whySilent: async () => null,
    close: async () => undefined,
  } as unknown as Session;
  return { session, calls };
}
