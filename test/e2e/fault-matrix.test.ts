import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startTestServer } from '../workflows/harness.ts';
import { faultCases } from './fault-matrix/cases.ts';
import { playMatrix } from './fault-matrix/matrix.ts';
import type { MatrixRow } from './fault-matrix/matrix.ts';
import { faultTable } from './fault-matrix/table.ts';

/** `npm run faults` plays every fault at every placement; here some of the costly tenths stand for all. */
const TENTHS = [
  '429, Retry-After in seconds',
  '429, Retry-After as a date',
  '503',
  'connection refused',
  'reset inside the body',
  'cut JSON',
];

let env: TestWorkflowEnvironment;
let folder: string;
let rows: MatrixRow[];

beforeAll(async () => {
  env = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), 'reachback-faults-'));
  rows = await playMatrix(env, folder, {
    full: false,
    wanted: (fault, at) => at === 'middle slice' || (at === '10 % of requests' && TENTHS.includes(fault)),
  });
}, 600_000);

afterAll(async () => {
  await env.teardown();
  await rm(folder, { recursive: true, force: true });
  console.log(`Through the real workflows, activities, gate, download, build and ledger:\n\n${faultTable(rows)}\n`);
});

describe('SAFE-2, SAFE-9, UDL-D4: a fault that passes costs a request and nothing else', () => {
  test.for(faultCases(false))('$name: complete, byte-identical, only failed slices again', ({ name, fails }) => {
    const own = rows.filter(({ fault }) => fault === name);
    expect(own.map(({ placement }) => placement)).toContain('middle slice');
    // What the door refuses the simulator never sees; a drip is slow, not wrong.
    const most = fails && name !== 'connection refused' ? 288 : 0;
    const again = expect.schemaMatching(z.number().min(Math.min(1, most)).max(most));
    for (const row of own) {
      expect(row).toMatchObject({ outcome: 'complete', slicesAskedAgain: again, askedInVain: 0, begunInCooldown: 0 });
    }
  });
});
