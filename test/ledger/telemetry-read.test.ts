import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TELEMETRY_COLUMNS, csvLine } from '../../src/ledger/telemetry-format.ts';
import { readTelemetry } from '../../src/ledger/telemetry-read.ts';
import type { TelemetryRow } from '../../src/ledger/telemetry-read.ts';
import { fieldsOf, splitRecords, streamRecords } from '../../src/ledger/telemetry-records.ts';
import { createTelemetryRows } from '../../src/ledger/telemetry-rows.ts';
import { temporaryFolder } from './support.ts';

async function readAll(path: string): Promise<{ rows: TelemetryRow[]; warnings: string[] }> {
  const warnings: string[] = [];
  const rows: TelemetryRow[] = [];
  for await (const batch of readTelemetry(path, (warning) => warnings.push(warning))) rows.push(...batch);
  return { rows, warnings };
}

const HEADER = csvLine(TELEMETRY_COLUMNS);

function fileWith(content: string | Uint8Array): string {
  const path = join(temporaryFolder(), 'telemetry.csv');
  writeFileSync(path, content);
  return path;
}

function line(values: Partial<Record<(typeof TELEMETRY_COLUMNS)[number], string>>): string {
  return csvLine(TELEMETRY_COLUMNS.map((column) => values[column] ?? ''));
}

test('TEL-7: a file without a line has no rows; one that is missing is named', async () => {
  expect(await readAll(fileWith(''))).toEqual({ rows: [], warnings: [] });
  const missing = join(temporaryFolder(), 'none.csv');
  await expect(readAll(missing)).rejects.toMatchObject({
    kind: 'config_invalid',
    message: expect.stringContaining(missing),
  });
});

test('rows come in file order; relative paths are of the file, absolute ones stay (TEL-10, TEL-D9)', async () => {
  const path = fileWith(
    HEADER +
      line({ run_id: 'b', csv_path: 'a.csv', cdf_path: '/abs/x.cdf', status: 'PROCESSED' }) +
      line({ run_id: 'a', error_message: 'two\r\nlines, "quoted"' }),
  );
  const { rows, warnings } = await readAll(path);
  expect(warnings).toEqual([]);
  expect(rows.map((row) => row.run_id)).toEqual(['b', 'a']);
  expect(rows[0]).toMatchObject({ csv_path: join(path, '..', 'a.csv'), cdf_path: '/abs/x.cdf', s3_key: '' });
  expect(rows[1]?.error_message).toBe('two\r\nlines, "quoted"');
});

test('TEL-31: a hole of NULs in a row, as a power cut leaves it, is read as signs that a ledger bears', async () => {
  const path = fileWith(HEADER + line({ run_id: 'a\0b', csv_path: '/x\0.csv', s3_bucket: '\0' }));
  const [row] = (await readAll(path)).rows;
  expect(row).toMatchObject({ run_id: 'a\uFFFDb', csv_path: '/x\uFFFD.csv', s3_bucket: '\uFFFD' });
});

test.for([
  ['18 columns only (TEL-32)', 'run_id,chunk_date_utc,status,started_at_utc\r\nr,2025-09-01,DOWNLOADED,s\r\n'],
  [
    'other order and unknown columns (TEL-10)',
    'extra,status,run_id,started_at_utc,chunk_date_utc\r\nx,DOWNLOADED,r,s,2025-09-01\r\n',
  ],
  [
    'line feeds and a byte-order mark',
    '\uFEFFrun_id,chunk_date_utc,status,started_at_utc\nr,2025-09-01,DOWNLOADED,s\n',
  ],
  ['a last line that lacks only its end', 'run_id,chunk_date_utc,status,started_at_utc\r\nr,2025-09-01,DOWNLOADED,s'],
])('reads %s', async ([, content]) => {
  const { rows, warnings } = await readAll(fileWith(content!));
  expect(warnings).toEqual([]);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ run_id: 'r', chunk_date_utc: '2025-09-01', status: 'DOWNLOADED', s3_bucket: '' });
});

test.for([
  ['in a field', 'torn,2025-09-0'],
  ['in quotes', 'torn,2025-09-01,,,FAILED,,,,,,,,,,,"half a mess'],
])('TEL-31: a last line torn %s is ignored with a warning', async ([, torn]) => {
  const path = fileWith(HEADER + line({ run_id: 'r' }) + torn!);
  const { rows, warnings } = await readAll(path);
  expect(rows.map((row) => row.run_id)).toEqual(['r']);
  expect(warnings).toEqual([expect.stringContaining('incomplete')]);
});

test('TEL-D4, TEL-D11: short rows, bad dates and unknown statuses are read, and refused by name', async () => {
  const today = line({ chunk_date_utc: '2025-09-01', status: 'PAUSED' });
  const path = fileWith(`${HEADER}short\r\n${line({ chunk_date_utc: 'someday', status: 'PAUSED' })}${today}`);
  const { rows, warnings } = await readAll(path);
  expect(rows.map((row) => [row.run_id, row.chunk_date_utc, row.status])).toEqual([
    ['short', '', ''],
    ['', 'someday', 'PAUSED'],
    ['', '2025-09-01', 'PAUSED'],
  ]);
  expect(warnings).toEqual([]);
  const reader = createTelemetryRows();
  expect(rows.map((row) => reader.take(row))).toEqual([
    { refused: '"" is not a date' },
    { refused: '"someday" is not a date' },
    { refused: '"PAUSED" is not a status' },
  ]);
});

test('TEL-31: no content makes reading fail', async () => {
  const nasty = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'a', '\uFEFF'), maxLength: 60 })
      .map((text) => Buffer.from(text)),
  );
  const path = fileWith('');
  await fc.assert(
    fc.asyncProperty(fc.boolean(), nasty, async (withHeader, bytes) => {
      writeFileSync(path, withHeader ? Buffer.concat([Buffer.from(HEADER), bytes]) : bytes);
      const outcome = await readAll(path).then(
        ({ rows }) => (rows.every((row) => Object.keys(row).length === TELEMETRY_COLUMNS.length) ? 'read' : 'ragged'),
        (error: { kind?: unknown }) => error.kind,
      );
      // Only a first line that is no header may be refused.
      expect(withHeader ? ['read'] : ['read', 'config_invalid']).toContain(outcome);
    }),
    { numRuns: 200 },
  );
});

test('records cover a file without gap or overlap, one per line written', () => {
  const field = fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'a'), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 5 }), (rows) => {
      const lines = rows.map((fields) => Buffer.from(csvLine(fields)));
      const records = splitRecords(Buffer.concat(lines));
      expect(records.map(({ start, end }) => end - start)).toEqual(lines.map(({ length }) => length));
      expect(records.map(({ fields }) => fields)).toEqual(rows.map(({ length }) => length));
      records.forEach(({ start }, index) => expect(start).toBe(records[index - 1]?.end ?? 0));
    }),
    { numRuns: 300 },
  );
});

test('TEL-33: fields are read back as they were written, also where a record lies across the parts that a file is read in', async () => {
  const field = fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'a', 'é'), maxLength: 6 });
  const rows = fc.sample(fc.array(field, { minLength: 2, maxLength: 4 }), 40_000);
  const path = fileWith(rows.map(csvLine).join(''));
  const read: (string[] | null)[] = [];
  let at = 0;
  for await (const { bytes, at: offset, records } of streamRecords(path)) {
    for (const record of records) {
      expect(offset + record.start).toBe(at);
      at = offset + record.end;
      read.push(fieldsOf(bytes, record));
    }
  }
  expect(read).toEqual(rows);
});

test('TEL-31: a quote that is never closed costs its own line, not those behind it', async () => {
  const good = line({ run_id: 'good' });
  const path = fileWith(`${HEADER}${good}bad,"2025-09-01,DOWNLOADED\r\n${good.repeat(40_000)}`);
  const { rows, warnings } = await readAll(path);
  expect(rows).toHaveLength(40_001);
  expect(new Set(rows.map((row) => row.run_id))).toEqual(new Set(['good']));
  const at = HEADER.length + good.length;
  expect(warnings).toEqual([expect.stringContaining(`never closed (byte ${at})`)]);
});
