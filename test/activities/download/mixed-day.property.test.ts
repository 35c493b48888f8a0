/** Whatever the server's rule about ends and the order of keys, a day's file holds each record once, each value under its name. */
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import {
  assert,
  asyncProperty,
  array,
  boolean,
  constantFrom,
  integer,
  option,
  record,
  string,
  uniqueArray,
} from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadRequest } from '../../../src/activities/download/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { send, startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { DAY, START, answerFrom, makeWorkspace, memoryLedger, openGate, selectFrom, testSource } from './set-up.ts';
import type { TestRecord } from './set-up.ts';

const DAY_MS = 86_400_000;
const QUARTER_MS = DAY_MS / 4;
const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open', verify: true };

let server: ScriptedServer;
let source: UdlSource;

beforeAll(async () => {
  server = await startScriptedServer(() => undefined);
  source = testSource(server.url);
});

afterAll(async () => {
  await source.close();
  await server.close();
});

/** Times that tell the rules apart: on a boundary, a millisecond beside it, anywhere; the next day's first too. */
const times = uniqueArray(
  record({
    quarter: integer({ min: 0, max: 4 }),
    beside: constantFrom(-1, 0, 1, 250, 999, 1_000),
    far: option(integer({ min: 0, max: QUARTER_MS })),
  }).map(({ quarter, beside, far }) => Math.max(0, quarter * QUARTER_MS + (far ?? beside))),
  { minLength: 1, maxLength: 40 },
);
/** What a record has beside its time: texts that need quoting, keys in any order, some missing, some that no other has. */
const extras = array(
  record({ key: constantFrom('lat', 'note', 'source', 'état'), value: string({ unit: 'grapheme', maxLength: 8 }) }),
  { maxLength: 4 },
);

interface Row {
  readonly [column: string]: string;
}

function makeRecord(ms: number, extra: Readonly<Record<string, string>>, timeLast: boolean): TestRecord {
  const obTime = new Date(START + ms).toISOString();
  const head = { id: `id-${ms}`, idSensor: 'REACH-101' };
  return timeLast ? { ...extra, ...head, obTime } : { obTime, ...extra, ...head };
}

test('UDL-D2, UDL-D6, UDL-D7: no record is lost or doubled where slices follow different end rules, and no value changes its column', async () => {
  await assert(
    asyncProperty(
      times,
      array(extras, { minLength: 40, maxLength: 40 }),
      array(boolean(), { minLength: 40, maxLength: 40 }),
      array(boolean(), { minLength: 4, maxLength: 4 }),
      boolean(),
      async (offsets, details, timeLast, inclusive, countsInclude) => {
        const archive = offsets
          .toSorted((a, b) => a - b)
          .map((ms, index) =>
            makeRecord(ms, Object.fromEntries(details[index]!.map(({ key, value }) => [key, value])), timeLast[index]!),
          );
        server.script = (response, request) => {
          if (request.url.includes('/count?')) {
            send(response, 200, String(selectFrom(archive, request, countsInclude).length));
            return;
          }
          const quarter = Math.floor((request.startMs - START) / QUARTER_MS);
          answerFrom(archive, inclusive[quarter])(response, request);
        };
        const folders = await makeWorkspace();
        try {
          const deps = { gate: openGate(), source, ledger: memoryLedger(), folders };
          const day = await downloadDay(deps, ONE);
          const wanted = archive.filter(({ obTime }) => Date.parse(obTime) < START + DAY_MS);
          const rows =
            day.outcome === 'no_data' ? [] : (parse(readFileSync(day.path), { columns: true }) as readonly Row[]);
          expect(rows.map(({ id }) => id)).toEqual(wanted.map((each) => each['id']));
          // A range without its last millisecond is the same by any rule but for what lies exactly there.
          const isClear = offsets.every((ms) => ms % QUARTER_MS !== QUARTER_MS - 1);
          expect(isClear ? ['verified'] : ['verified', 'differs']).toContain(day.check?.state);
          for (const [index, row] of rows.entries()) {
            // A cell of another record's column is empty.
            const expected = Object.fromEntries(
              Object.keys(row).map((column) => [column, wanted[index]![column] ?? '']),
            );
            expect(row).toEqual(expected);
            for (const key of Object.keys(wanted[index]!)) expect(Object.keys(row)).toContain(key);
          }
        } finally {
          await folders.remove();
        }
      },
    ),
    { numRuns: 60 },
  );
});
