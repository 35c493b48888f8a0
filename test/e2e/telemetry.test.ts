/** The telemetry CSV as a contract: other programs read it, a lost ledger comes back from it, and no kill on the way matters. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { addDays, parseDay } from '../../src/core/time/day.ts';
import { readLedgerContent } from '../../src/ledger/content.ts';
import { openLedgerForReading } from '../../src/ledger/index.ts';
import type { DayLine } from '../../src/ledger/reports.ts';
import { TELEMETRY_COLUMNS, csvLine } from '../../src/ledger/telemetry-format.ts';
import { runPython } from '../support/python.ts';
import { createPlace, fileHashes, filesBelow, fingerprint, runArgs } from './harness.ts';

interface ReadByOthers {
  readonly rows: readonly Record<string, string>[];
  readonly pandas: { columns: string[]; rows: number; records: number; days: string[] };
}

function ledgerOf(workspace: string) {
  return { root: workspace, ledgerPath: join(workspace, 'state', 'reachback.db') };
}

async function dayTable(workspace: string): Promise<DayLine[]> {
  const ledger = await openLedgerForReading(ledgerOf(workspace));
  try {
    expect((await ledger.checkIntegrity()).problems).toEqual([]);
    return await ledger.dayLines();
  } finally {
    await ledger.close();
  }
}

test('TEL-1…6, TRACK-17: other readers read the CSV; the ledger made anew from it has the same day table, also after kills', async () => {
  const place = await createPlace();
  const args = runArgs(place, '2025-09-01', '2025-09-03');
  expect((await place.run(args)).code).toBe(0);
  const { requests } = place.simulator.stats();
  const before = await dayTable(place.workspace);
  expect(before).toHaveLength(3);

  const telemetry = join(place.workspace, 'downloads', 'download_telemetry.csv');
  const exported = join(place.dir, 'export.csv');
  const writing = await place.run(['telemetry', 'export', exported, '--workspace', place.workspace]);
  expect(writing.stderr).toBe('');
  expect(readFileSync(exported, 'utf8')).toBe(readFileSync(telemetry, 'utf8'));
  const { rows, pandas } = JSON.parse(await runPython('telemetry_rows.py', [exported])) as ReadByOthers;
  expect(rows.map((row) => row['status'])).toEqual(expect.arrayContaining(['DOWNLOADED', 'PROCESSED', 'UPLOADED']));
  expect(pandas.columns).toEqual([...TELEMETRY_COLUMNS]);
  expect(pandas).toMatchObject({ rows: rows.length, days: ['2025-09-01', '2025-09-02', '2025-09-03'] });
  expect(pandas.records).toBe(before.reduce((sum, day) => sum + (day.records ?? 0), 0));

  const files = fingerprint(join(place.workspace, 'products'));
  renameSync(join(place.workspace, 'state', 'reachback.db'), join(place.dir, 'lost.db'));
  const rebuild = ['ledger', 'rebuild', '--workspace', place.workspace];
  for (const point of ['telemetry-imported', 'file-taken-up:2']) {
    const killed = await place.run(rebuild, { REACHBACK_CRASH_POINT: point });
    expect(killed.code).toBeNull();
  }
  const rebuilt = await place.run(rebuild);
  expect(rebuilt.code).toBe(0);
  expect(await dayTable(place.workspace)).toEqual(before);
  expect(readFileSync(telemetry, 'utf8')).toBe(readFileSync(exported, 'utf8'));
  expect(fingerprint(join(place.workspace, 'products'))).toEqual(files);

  const again = await place.run(args);
  expect(again.code).toBe(0);
  expect(again.stdout).toContain('processed=0 uploaded=0 skipped_existing=3 ');
  expect(place.simulator.stats().requests).toBe(requests);
});

test('TRACK-4: an import that is killed keeps what was committed; again, it ends as one that was not killed', async () => {
  const place = await createPlace();
  const csv = join(place.dir, 'telemetry.csv');
  writeFileSync(
    csv,
    csvLine(TELEMETRY_COLUMNS) + Array.from({ length: 1_250 }, (_none, index) => rowsOf(index)).join(''),
  );
  const contentOf = (workspace: string) => {
    const { attempts, day_states: states } = readLedgerContent(ledgerOf(workspace).ledgerPath);
    return { attempts: attempts ?? [], states: states ?? [] };
  };
  const importInto = (name: string, crash?: string) => {
    const workspace = join(place.dir, name);
    mkdirSync(workspace, { recursive: true });
    const command = ['telemetry', 'import', csv, '--workspace', workspace];
    return place.run(command, { REACHBACK_CRASH_POINT: crash });
  };
  const killed = await importInto('killed', 'telemetry-imported');
  expect(killed.code).toBeNull();
  const kept = contentOf(join(place.dir, 'killed')).attempts;
  expect(kept).toHaveLength(2_000);

  const ended = await importInto('killed');
  expect(ended.stdout).toContain('2,500 rows read, 500 new, 0 not understood');
  expect((await importInto('whole')).stdout).toContain('2,500 rows read, 2,500 new');
  const whole = contentOf(join(place.dir, 'whole'));
  expect(whole.states).toHaveLength(1_250);
  expect(contentOf(join(place.dir, 'killed'))).toEqual(whole);
});

test('TRACK-6, TRACK-7: ledger rebuild --finalize-only and --reset, each twice and killed in the middle, end as one that was not', async () => {
  const place = await createPlace();
  const workspace = join(place.dir, 'ws');
  const at = ['--workspace', workspace];
  const csv = join(place.dir, 'telemetry.csv');
  const rows = Array.from({ length: 450 }, (_none, index) => rowsOf(index)).join('');
  writeFileSync(csv, csvLine(TELEMETRY_COLUMNS) + rows);
  mkdirSync(workspace);
  expect((await place.run(['telemetry', 'import', csv, ...at])).code).toBe(0);
  const { ledgerPath } = ledgerOf(workspace);
  const states = () => JSON.stringify(readLedgerContent(ledgerPath)['day_states']);
  const good = states();
  const damage = (statement: string): void => {
    const database = new Database(ledgerPath);
    database.exec(statement);
    database.close();
  };
  damage(
    `delete from day_states where day < '2015-06-01'; update day_states set status = 'FAILED' where day > '2016-01-01'`,
  );
  const finalize = ['ledger', 'rebuild', '--finalize-only', ...at];
  const killed = await place.run(finalize, { REACHBACK_CRASH_POINT: 'days-summed-up:2' });
  expect(killed.code).toBeNull();
  expect(states()).not.toBe(good);
  for (const time of [1, 2]) {
    const ended = await place.run(finalize);
    expect({ time, ...ended }).toMatchObject({ time, code: 0, stdout: '450 days summed up.\n' });
    expect(states()).toBe(good);
  }

  const reset = ['ledger', 'rebuild', '--reset', ...at];
  for (const time of [1, 2]) {
    const ended = await place.run(reset);
    expect({ time, ...ended }).toMatchObject({
      time,
      code: 0,
      stdout: expect.stringContaining('900 rows read, 900 new'),
    });
    expect(states()).toBe(good);
  }
  const kept = () =>
    filesBelow(join(workspace, 'state')).filter((path) => /reachback\.db\.\d{8}T\d{6}(-\d+)?$/.test(path));
  expect(kept()).toHaveLength(2);

  // As long as another has it open, the latest rows are in the log alone.
  const former = kept();
  const other = new Database(ledgerPath);
  other.exec(`update day_states set status = 'FAILED'`);
  const latest = states();
  expect((await place.run(reset, { REACHBACK_CRASH_POINT: 'ledger-aside' })).code).toBeNull();
  expect((await place.run(reset)).code).toBe(0);
  expect(states()).toBe(good);
  other.close();
  const [last] = kept().filter((path) => !former.includes(path));
  expect(JSON.stringify(readLedgerContent(last!)['day_states'])).toBe(latest);
});

test('TRACK-8, CLI-19: after adopt, download and process ask for nothing that another program had done', async () => {
  const place = await createPlace();
  const [out, cdf] = [join(place.dir, 'out'), join(place.dir, 'out_cdf')];
  const days = ['--start-date', '2025-09-01', '--end-date', '2025-09-02', '--sensor-id', 'REACH-101'];
  const download = ['download', ...days, '--output-dir', out, '--initial-rate', '100', '--max-rate', '100'];
  const process = ['process', ...days, '--input-dir', out, '--output-dir', cdf];
  expect((await place.run(download)).code).toBe(0);
  expect((await place.run(process)).code).toBe(0);
  const { requests } = place.simulator.stats();
  // What remains is what the reference would have left: two folders of data and the CSV.
  for (const path of [...filesBelow(out), ...filesBelow(cdf)]) {
    if (path.includes('/.')) rmSync(path);
  }
  const left = [out, cdf].map((folder) => fileHashes(folder));
  // A layout that cannot be written on is refused before anything is done.
  const telemetry = join(out, 'download_telemetry.csv');
  const text = readFileSync(telemetry, 'utf8');
  writeFileSync(telemetry, text.replace('window_start_utc,window_end_utc', 'window_end_utc,window_start_utc'));
  const refused = await place.run(['adopt', out, '--products', cdf]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('its first line is another header') });
  expect(filesBelow(out).filter((path) => path.endsWith('reachback.db'))).toEqual([]);
  writeFileSync(telemetry, text);
  expect(left.map((files) => Object.keys(files).length)).toEqual([3, 2]);

  const adopted = await place.run(['adopt', out, '--products', cdf, '--json'], { BASICAUTH: undefined });
  expect(adopted.code).toBe(0);
  const report = JSON.parse(adopted.stdout) as { telemetry: object; files: object };
  expect(report.telemetry).toMatchObject({ rows: 8, added: 8, refused: 0, warnings: [] });
  expect(report.files).toEqual({ downloads: 2, products: 2, deliveries: 0, notTaken: [], unmatched: [] });

  const again = await place.run(download);
  expect(again.stdout).toContain('skipped_existing=2');
  expect(again.code).toBe(0);
  const built = await place.run(process);
  expect(built.stdout).toContain('processed=0 uploaded=0 skipped_existing=2');
  expect(place.simulator.stats().requests).toBe(requests);
  const visible = [out, cdf].map((folder) =>
    Object.fromEntries(Object.entries(fileHashes(folder)).filter(([path]) => !path.startsWith('.'))),
  );
  expect(visible).toEqual(left);
});

/** Beginning and end of one day's download. */
function rowsOf(index: number): string {
  const day = addDays(parseDay('2015-01-01'), index);
  const values: Record<string, string> = {
    run_id: 'a808298f-0000-4000-8000-000000000000',
    chunk_date_utc: day,
    sensor_id: 'ALL',
    descriptor: 'QUICKLOOK',
    output_format: 'csv',
    started_at_utc: `${day}T01:00:00+00:00`,
  };
  const line = (more: Record<string, string>): string =>
    csvLine(TELEMETRY_COLUMNS.map((column) => ({ ...values, ...more })[column] ?? ''));
  const ended = { status: 'SKIPPED_NO_DATA', finished_at_utc: `${day}T01:01:00+00:00`, error_message: 'nothing' };
  return line({ status: 'DOWNLOAD_PENDING' }) + line(ended);
}
