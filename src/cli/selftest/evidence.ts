/** What a run left behind, in a form that two runs can be compared in. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readLedgerContent } from '../../ledger/content.ts';
import { openLedgerForReading } from '../../ledger/index.ts';
import { TELEMETRY_COLUMNS, csvLine, telemetryLine } from '../../ledger/telemetry-format.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { RunPlace } from './run-place.ts';

export interface Evidence {
  /** Path from the run's folder → SHA-256, or the text of a manifest. */
  readonly files: ReadonlyMap<string, string>;
  /** Table → rows as JSON, ascending. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
  /** What should not be there, in words. */
  readonly untidy: readonly string[];
}

/** Tables about this machine's writing, its goes at a day and what the source did wrong, not about days. */
const APART = /^(kysely_.*|telemetry_exports|request_failures|passes|workspace)$/;
/** Different from run to run: times, ids, and how often a source failed. */
const VOLATILE = /^(seq|id|run_id|workflow_run_id|mtime_ms|superseded_by|failures)$|(_at|seconds)$/;
/** In a manifest, when the source was asked for its count. */
const TIMES = /("\w+At": ?")[^"]*/g;
const MOST_ATTEMPTS = 100_000;

export async function collectEvidence(place: RunPlace): Promise<Evidence> {
  const workspace = await locateWorkspace({ dir: place.workspace });
  const files = new Map<string, string>();
  const untidy: string[] = [];
  for (const path of [workspace.downloads, workspace.products, place.delivered].flatMap(filesBelow)) {
    const name = relative(place.dir, path);
    if (path === workspace.telemetryFile) continue;
    if (/\.tmp$|\/\.slices\//.test(name)) untidy.push(`left behind: ${name}`);
    const content = readFileSync(path);
    const isText = /\.manifest$|\/\.reachback\//.test(name);
    files.set(
      name,
      isText
        ? content.toString('utf8').replaceAll(place.dir, '<dir>').replaceAll(TIMES, '$1<time>')
        : createHash('sha256').update(content).digest('hex'),
    );
  }
  const rows = new Map<string, string[]>();
  for (const [table, content] of Object.entries(readLedgerContent(workspace.ledgerPath))) {
    if (APART.test(table)) continue;
    rows.set(table, content.map((row) => withoutVolatile(row).replaceAll(place.dir, '<dir>')).toSorted());
  }
  if (!(await telemetryIsTheLedgers(workspace))) untidy.push('the telemetry CSV is not what the ledger holds');
  return { files, rows, untidy };
}

function withoutVolatile(row: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(row).map(([column, value]) => [
    column,
    VOLATILE.test(column) ? value !== null : value,
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** TEL-2, TRACK-17. */
async function telemetryIsTheLedgers(workspace: Awaited<ReturnType<typeof locateWorkspace>>): Promise<boolean> {
  const ledger = await openLedgerForReading(workspace);
  try {
    const attempts = await ledger.attemptsAfter(0, MOST_ATTEMPTS);
    const expected = csvLine(TELEMETRY_COLUMNS) + attempts.map(telemetryLine).join('');
    return readFileSync(workspace.telemetryFile, 'utf8') === expected;
  } finally {
    await ledger.close();
  }
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
