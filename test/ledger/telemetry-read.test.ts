import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TELEMETRY_COLUMNS, csvLine } from '../../src/ledger/telemetry-format.ts';
import { readTelemetryCsv } from '../../src/ledger/telemetry-read.ts';
import { splitRecords } from '../../src/ledger/telemetry-records.ts';
import { temporaryFolder } from './support.ts';

const HEADER = csvLine(TELEMETRY_COLUMNS);

function fileWith(content: string | Uint8Array): string {
  const path = join(temporaryFolder(), 'telemetry.csv');
  writeFileSync(path, content);
  return path;
}

function line(values: Partial<Record<(typeof TELEMETRY_COLUMNS)[number], string>>): string {
  return csvLine(TELEMETRY_COLUMNS.map((column) => values[column] ?? ''));
}

test('TEL-7: a missing file has no rows', async () => {
  expect(await readTelemetryCsv(join(temporaryFolder(), 'none.csv'))).toEqual({ rows: [], warnings: [] });
});

test('rows come in file order; relative paths are of the file, absolute ones stay (TEL-10, TEL-D9)', async () => {
  const path = fileWith(
    HEADER +
      line({ run_id: 'b', csv_path: 'a.csv', cdf_path: '/abs/x.cdf', status: 'PROCESSED' }) +
      line({ run_id: 'a', error_message: 'two\r\nlines, "quoted"' }),
  );
  const { rows, warnings } = await readTelemetryCsv(path);
  expect(warnings).toEqual([]);
  expect(rows.map((row) => row.run_id)).toEqual(['b', 'a']);
  expect(rows[0]).toMatchObject({ csv_path: join(path, '..', 'a.csv'), cdf_path: '/abs/x.cdf', s3_key: '' });
  expect(rows[1]?.error_message).toBe('two\r\nlines, "quoted"');
});

test.for([
  ['18 columns only (TEL-32)', 'run_id,chunk_date_utc,status\r\nr,2025-09-01,DOWNLOADED\r\n'],
  ['other order and unknown columns (TEL-10)', 'extra,status,run_id,chunk_date_utc\r\nx,DOWNLOADED,r,2025-09-01\r\n'],
  ['line feeds and a byte-order mark', '\uFEFFrun_id,chunk_date_utc,status\nr,2025-09-01,DOWNLOADED\n'],
  ['a last line that lacks only its end', 'run_id,chunk_date_utc,status\r\nr,2025-09-01,DOWNLOADED'],
])('reads %s', async ([, content]) => {
  const { rows, warnings } = await readTelemetryCsv(fileWith(content!));
  expect(warnings).toEqual([]);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ run_id: 'r', chunk_date_utc: '2025-09-01', status: 'DOWNLOADED', s3_bucket: '' });
});

test.for([
  ['in a field', 'torn,2025-09-0'],
  ['in quotes', 'torn,2025-09-01,,,FAILED,,,,,,,,,,,"half a mess'],
])('TEL-31: a last line torn %s is ignored with a warning', async ([, torn]) => {
  const path = fileWith(HEADER + line({ run_id: 'r' }) + torn!);
  const { rows, warnings } = await readTelemetryCsv(path);
  expect(rows.map((row) => row.run_id)).toEqual(['r']);
  expect(warnings).toEqual([expect.stringContaining('incomplete')]);
});

test('TEL-D4, TEL-D11: short rows, bad dates and unknown statuses are read, the last with a warning', async () => {
  const path = fileWith(`${HEADER}short\r\n${line({ chunk_date_utc: 'someday', status: 'PAUSED' })}`);
  const { rows, warnings } = await readTelemetryCsv(path);
  expect(rows.map((row) => [row.run_id, row.chunk_date_utc, row.status])).toEqual([
    ['short', '', ''],
    ['', 'someday', 'PAUSED'],
  ]);
  expect(warnings).toEqual([expect.stringContaining('"PAUSED"')]);
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
      const { rows } = await readTelemetryCsv(path);
      expect(rows.every((row) => Object.keys(row).length === TELEMETRY_COLUMNS.length)).toBe(true);
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
