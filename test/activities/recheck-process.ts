/** Looks again at one day until it is done or killed: `node recheck-process.ts <url> <workspace> <day> <crash point>`. */
import { MockActivityEnvironment } from '@temporalio/testing';
import pino from 'pino';
import { createActivities } from '../../src/activities/index.ts';
import type { DayAttempt } from '../../src/activities/types.ts';
import { Secret } from '../../src/core/secret.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { createGate } from '../../src/gate/index.ts';
import { openLedger } from '../../src/ledger/index.ts';
import { createUdlSource } from '../../src/sources/udl/index.ts';
import { armCrashPoint, parseCrashPoint } from '../../src/storage/crash-point.ts';
import { parseDestination } from '../../src/storage/destination.ts';
import { openWorkspace } from '../../src/storage/workspace.ts';
import { dayAttempt } from './day-attempt.ts';

const [baseUrl = '', dir = '', day = '', point = ''] = process.argv.slice(2);
const workspace = await openWorkspace({ dir });
const { ledger, telemetry } = await openLedger({ workspace });
const log = pino({ enabled: false });
const today = (): string => '2026-02-01';
const activities = createActivities({
  workspace,
  ledger,
  telemetry,
  gate: createGate({ config: { initialRate: 1_000, maxRate: 1_000, passWaitMs: 1 } }),
  source: createUdlSource({ baseUrl, token: new Secret('Basic recheck'), threads: 1 }),
  planning: { ledger, folders: workspace, today, log },
  destinationAt: parseDestination,
  zarrStoreAt: () => {
    throw new Error('no Zarr store here');
  },
  log,
  today,
});
const attempt = dayAttempt({
  day: parseDay(day),
  stages: ['download', 'count'],
  run: 'workflow-run-2',
  recheck: { anyway: [] },
});
armCrashPoint(parseCrashPoint(point));
process.stdout.write('begun\n');
await new MockActivityEnvironment({ attempt: 1 }).run((input: DayAttempt) => activities.downloadWindow(input), attempt);
process.exit(0);
