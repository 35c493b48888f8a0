import { expect, test } from 'vitest';
import { decisionTable } from '../../../src/core/backfill/decision-table.ts';

test('the printed decision table of downloads', () => {
  const [download] = decisionTable();
  expect(download?.title).toBe('download');
  expect([download?.columns, ...(download?.rows ?? [])].map((row) => row?.join(' | '))).toEqual([
    'download | noDataFinal | artifact | counted | retryFailed | fetchReleased | action',
    'none, pending, done | – | none, missing, changed | – | – | – | run',
    'none, pending, done | – | intact | yes | – | – | skip_existing',
    'none, pending, done | – | intact | no | – | – | run_count',
    'none, pending, done | – | released | – | – | yes | run',
    'none, pending, done | – | released | – | – | no | skip_existing',
    'noData | yes | – | – | – | – | skip_terminal',
    'noData | no | – | – | – | – | run',
    'failed | – | – | – | yes | – | run',
    'failed | – | – | – | no | – | skip_failed',
  ]);
});

test('the table of processing says every action, one row each at least, and fits a page', () => {
  const process = decisionTable()[1];
  expect(new Set(process?.rows.map((row) => row.at(-1)))).toEqual(
    new Set(['run_process', 'run_upload_only', 'skip_existing', 'skip_failed', 'skip_no_input', 'skip_terminal']),
  );
  expect(process?.rows.every((row) => row.length === process.columns.length)).toBe(true);
  expect(process?.rows.length).toBeLessThan(60);
});
