import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TELEMETRY_COLUMNS, csvLine } from '../../src/ledger/telemetry-format.ts';
import { createTelemetryExporter } from '../../src/ledger/telemetry-csv.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import { attempt, createClock, download, openIn, product, temporaryFolder } from './support.ts';

const HEADER = csvLine(TELEMETRY_COLUMNS);
const OLD_HEADER = csvLine(TELEMETRY_COLUMNS.slice(0, 18));
const MESSAGE = 'slice 12, "HTTP 503"\nsix times; café';

async function setUp() {
  const root = temporaryFolder();
  const clock = createClock();
  const ledger = await openIn(root, clock.now);
  const path = join(root, 'downloads', 'download_telemetry.csv');
  const notices: string[] = [];
  const exporter = () => createTelemetryExporter({ ledger, path, onNotice: (notice) => notices.push(notice) });
  return { root, clock, ledger, path, exporter, notices };
}

/** One day from download to delivery, and one given up with an awkward message. */
async function fillDay(ledger: SqlLedger, root: string, clock: { advance: (ms: number) => void }): Promise<void> {
  const closing = { seconds: 0.006, sizeBytes: 629 };
  await ledger.openStage(attempt());
  clock.advance(7);
  await ledger.closeStage(attempt(), { status: 'DOWNLOADED', records: 8, path: download(root).path, ...closing });
  const build = attempt({ stage: 'build' });
  const { path: inputPath } = download(root);
  await ledger.closeStage(build, {
    status: 'PROCESSED',
    seconds: 0.002,
    sizeBytes: 2_000_000,
    path: product(root).path,
    inputPath,
  });
  const upload = attempt({ stage: 'upload', destination: 'file:///mnt/out' });
  await ledger.closeStage(upload, { status: 'UPLOADED', seconds: 0.5, bucket: 'file:///mnt/out', key: 'l1c/x.cdf' });
  await ledger.failStage(attempt({ workflowRunId: 'wf-2' }), {
    stage: 'download',
    kind: 'slice_exhausted',
    message: MESSAGE,
  });
}

const read = (path: string): string => readFileSync(path, 'utf8');
/** Lengths to cut a file to: all within its last row, every 17th before that down to `from`. */
function everyByteOfTheLastRow(whole: Buffer, from: number): number[] {
  const lastRow = whole.lastIndexOf('run-1');
  const lengths = Array.from({ length: whole.length - from + 1 }, (_, index) => from + index);
  return lengths.filter((length) => length >= lastRow || (length - from) % 17 === 0);
}

const parsed = (path: string): Record<string, string>[] => parse(read(path), { columns: true });

describe('the file', () => {
  test('TEL-1…6: columns, formats and copied values of one day, to the byte', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    clock.advance(586); // 05:05:55.000: a start without fraction
    await fillDay(ledger, root, clock);
    await exporter().flush();
    const csv = download(root).path;
    const cdf = product(root).path;
    const window = '2025-09-01T00:00:00+00:00,2025-09-02T00:00:00+00:00';
    const told = `8,1105920,0.0007,0.006,0.0006,${csv},ALL,QUICKLOOK,csv,,`;
    const times = '2025-11-21T05:05:55.007000+00:00,2025-11-21T05:05:55.007000+00:00';
    expect(read(path)).toBe(
      [
        TELEMETRY_COLUMNS.join(','),
        `run-1,2025-09-01,${window},DOWNLOAD_PENDING,,1105920,,,,,ALL,QUICKLOOK,csv,,,2025-11-21T05:05:55+00:00,,,,,,,`,
        `run-1,2025-09-01,${window},DOWNLOADED,${told},2025-11-21T05:05:55+00:00,2025-11-21T05:05:55.007000+00:00,,,,,,`,
        `run-1,2025-09-01,,,PROCESS_PENDING,${told},2025-11-21T05:05:55.007000+00:00,,,,,,,`,
        `run-1,2025-09-01,,,PROCESSED,${told},${times},0.002,1.9073,${cdf},,,`,
        `run-1,2025-09-01,,,UPLOAD_PENDING,${told},2025-11-21T05:05:55.007000+00:00,,0.002,1.9073,${cdf},,,`,
        `run-1,2025-09-01,,,UPLOADED,${told},${times},0.002,1.9073,${cdf},0.500,file:///mnt/out,l1c/x.cdf`,
        `run-1,2025-09-01,${window},DOWNLOAD_PENDING,,1105920,,,,,ALL,QUICKLOOK,csv,,,2025-11-21T05:05:55.007000+00:00,,,,,,,`,
        `run-1,2025-09-01,${window},FAILED,,1105920,,0.000,,,ALL,QUICKLOOK,csv,slice_exhausted,"slice 12, ""HTTP 503""\nsix times; café",${times},,,,,,`,
        '',
      ].join('\r\n'),
    );
  });

  test('rows are appended, never changed; nothing new, nothing touched (TEL-2)', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    const telemetry = exporter();
    await ledger.openStage(attempt());
    await telemetry.flush();
    const before = read(path);
    const touched = statSync(path).mtimeMs;
    await telemetry.flush();
    expect(statSync(path).mtimeMs).toBe(touched);
    await fillDay(ledger, root, clock);
    await telemetry.flush();
    expect(read(path).startsWith(before)).toBe(true);
    expect(parsed(path)).toHaveLength(8);
    expect(readdirSync(dirname(path))).toEqual(['download_telemetry.csv']);
  });

  test('flushes that are asked for at once write every row once', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    const telemetry = exporter();
    const flushes = [telemetry.flush(), telemetry.flush()];
    await fillDay(ledger, root, clock);
    flushes.push(telemetry.flush(), telemetry.flush());
    await Promise.all(flushes);
    expect(parsed(path).map((row) => row['status'])).toHaveLength(8);
  });

  test('a ledger without rows makes no file', async () => {
    const { path, exporter } = await setUp();
    await exporter().flush();
    expect(existsSync(dirname(path))).toBe(false);
  });

  test('a flush that fails leaves the next one whole', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    const telemetry = exporter();
    await fillDay(ledger, root, clock);
    writeFileSync(join(root, 'downloads'), 'in the way');
    await expect(telemetry.flush()).rejects.toThrow(/EEXIST|ENOTDIR/);
    rmSync(join(root, 'downloads'));
    await telemetry.flush();
    expect(parsed(path)).toHaveLength(8);
  });
});

describe('quoting', () => {
  const field = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', ' ', 'a', 'é') }),
    fc.string({ unit: 'grapheme' }),
  );
  // An empty line of one field is no record for any reader; ours have 24.
  const table = fc.array(fc.array(field, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 5 });

  test('TEL-33: csv-parse reads back whatever was written', () => {
    fc.assert(
      fc.property(table, (rows) => {
        const text = rows.map(csvLine).join('');
        expect(parse(text, { relax_column_count: true, record_delimiter: '\r\n' })).toEqual(rows);
      }),
      { numRuns: 300 },
    );
  });

  test("TEL-33: Python's csv reads back whatever was written, and would quote alike", () => {
    const tables = fc
      .sample(table, 150)
      .map((rows) => rows.map((fields) => fields.map((text) => text.replaceAll('\0', ''))));
    const script = [
      'import csv, io, json, sys',
      'for rows, text in json.load(sys.stdin):',
      '    back = list(csv.reader(io.StringIO(text, newline="")))',
      '    assert back == rows, (rows, text, back)',
      '    out = io.StringIO(newline="")',
      '    csv.writer(out, lineterminator="\\r\\n").writerows(rows)',
      '    assert out.getvalue() == text, (rows, text, out.getvalue())',
      'print("ok")',
    ].join('\n');
    const input = JSON.stringify(tables.map((rows) => [rows, rows.map(csvLine).join('')]));
    expect(execFileSync('python3', ['-c', script], { input, encoding: 'utf8' })).toBe('ok\n');
  });
});

describe('TEL-31: a file that is not as it was left', () => {
  test('cut anywhere, at any byte of its last row, the next start makes it whole again', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    await fillDay(ledger, root, clock);
    await exporter().flush();
    const whole = readFileSync(path);
    const text = whole.toString('utf8');
    for (const length of everyByteOfTheLastRow(whole, 0)) {
      writeFileSync(path, whole.subarray(0, length));
      await exporter().flush();
      expect(read(path), `cut at ${length}`).toBe(text);
    }
    expect(readdirSync(dirname(path))).toEqual(['download_telemetry.csv']);
  });

  test('killed anywhere in a write, at any byte of its last row, before the ledger noted it, the next start completes the rows', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    await ledger.openStage(attempt());
    await exporter().flush();
    const written = statSync(path).size;
    const cursor = await ledger.telemetryCursor(path);
    await fillDay(ledger, root, clock);
    await exporter().flush();
    const whole = readFileSync(path);
    const text = whole.toString('utf8');
    for (const length of everyByteOfTheLastRow(whole, written)) {
      writeFileSync(path, whole.subarray(0, length));
      await ledger.putTelemetryCursor(path, cursor!);
      await exporter().flush();
      expect(read(path), `killed at ${length}`).toBe(text);
    }
    expect(readdirSync(dirname(path))).toEqual(['download_telemetry.csv']);
  });

  test('a missing or emptied file is written again in full', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    await fillDay(ledger, root, clock);
    const telemetry = exporter();
    await telemetry.flush();
    const whole = read(path);
    rmSync(path);
    await telemetry.flush();
    expect(read(path)).toBe(whole);
    truncateSync(path, 0);
    await telemetry.flush();
    expect(read(path)).toBe(whole);
  });

  test('complete rows of another program stay where they are', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    await ledger.openStage(attempt());
    await exporter().flush();
    const foreign = csvLine([
      'other',
      '2024-01-01',
      ...Array<string>(13).fill(''),
      'a\r\nb',
      ...Array<string>(8).fill(''),
    ]);
    appendFileSync(path, foreign);
    await fillDay(ledger, root, clock);
    const before = read(path);
    await exporter().flush();
    expect(read(path).startsWith(before)).toBe(true);
    expect(parsed(path)).toHaveLength(9);
    await exporter().flush();
    expect(parsed(path)).toHaveLength(9);
  });

  test("another program's last row without a line end gets one; its torn row is put aside, not deleted", async () => {
    const { root, clock, ledger, path, exporter, notices } = await setUp();
    await ledger.openStage(attempt());
    await exporter().flush();
    const foreign = `other,2024-01-01,,,DOWNLOADED${','.repeat(19)}`;
    appendFileSync(path, foreign);
    await fillDay(ledger, root, clock);
    await exporter().flush();
    expect(parsed(path)).toHaveLength(9);
    appendFileSync(path, 'other,2024-01-02,"torn in a quo');
    await exporter().flush();
    expect(parsed(path)).toHaveLength(9);
    expect(read(`${path}.torn-1`)).toBe('other,2024-01-02,"torn in a quo');
    expect(notices.some((notice) => notice.includes(`${path}.torn-1`))).toBe(true);
  });

  test('a moved workspace does not write its rows twice', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    await fillDay(ledger, root, clock);
    await exporter().flush();
    writeFileSync(path, read(path).replaceAll(root, '/former/place'));
    await exporter().flush();
    expect(parsed(path)).toHaveLength(8);
  });
});

describe('a file from elsewhere', () => {
  test('TEL-32: 18 columns become 24, short rows padded, the original kept beside it', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    const short = csvLine(['old', '2024-01-01', ...Array<string>(13).fill(''), 'two\r\nlines', 's', 'f']);
    const long = csvLine(['old', '2024-01-02', ...Array<string>(21).fill(''), 'key']);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, OLD_HEADER + short + long);
    await fillDay(ledger, root, clock);
    await exporter().flush();
    expect(read(path).startsWith(HEADER + short.replace(/\r\n$/, ',,,,,,\r\n') + long)).toBe(true);
    expect(parsed(path)).toHaveLength(10);
    expect(parsed(path)[0]).toMatchObject({ error_message: 'two\r\nlines', started_at_utc: 's', s3_key: '' });
    expect(read(`${path}.18-columns-1`)).toBe(OLD_HEADER + short + long);
  });

  test('24 columns from before the ledger: kept, and added to; a byte-order mark does no harm', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    mkdirSync(dirname(path), { recursive: true });
    const before = `\uFEFF${HEADER.trimEnd()}\nold,2024-01-01${','.repeat(22)}\n`;
    writeFileSync(path, before);
    await fillDay(ledger, root, clock);
    await exporter().flush();
    expect(read(path).startsWith(before)).toBe(true);
    expect(parse(read(path), { columns: true, bom: true, record_delimiter: ['\r\n', '\n'] })).toHaveLength(9);
  });

  test('anything else is refused by name and left alone (TEL-3)', async () => {
    const { root, clock, ledger, path, exporter } = await setUp();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'id,title\r\n1,song\r\n');
    await fillDay(ledger, root, clock);
    await expect(exporter().flush()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(path),
      hint: expect.stringContaining('--telemetry-file'),
    });
    expect(read(path)).toBe('id,title\r\n1,song\r\n');
  });
});
