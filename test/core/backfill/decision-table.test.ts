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

test('the table of run says how it joins what the two say', () => {
  const run = decisionTable()[2];
  expect([run?.columns, ...(run?.rows ?? [])].map((row) => row?.join(' | '))).toMatchInlineSnapshot(`
    [
      "download says | process says | refresh | recheckDue | stages",
      "run | run_process, run_upload_only, skip_existing | – | – | download, count, build, upload",
      "run | skip_failed | – | – | none: failed",
      "run_count | run_process | – | – | count, build, upload",
      "run_count | run_upload_only | – | – | count, upload",
      "run_count | skip_existing | – | – | count",
      "run_count | skip_failed | – | – | none: failed",
      "skip_existing | run_process | yes | – | asks for the count; as many: build, upload; another number: download, count, build, upload",
      "skip_existing | run_process | no | yes | asks for the count; as many: build, upload; another number: download, count, build, upload",
      "skip_existing | run_process | no | no | build, upload",
      "skip_existing | run_upload_only | yes | – | asks for the count; as many: upload; another number: download, count, build, upload",
      "skip_existing | run_upload_only | no | yes | asks for the count; as many: upload; another number: download, count, build, upload",
      "skip_existing | run_upload_only | no | no | upload",
      "skip_existing | skip_existing | yes | – | asks for the count; as many: nothing; another number: download, count, build, upload",
      "skip_existing | skip_existing | no | yes | asks for the count; as many: nothing; another number: download, count, build, upload",
      "skip_existing | skip_existing | no | no | none: existing",
      "skip_existing | skip_failed | – | – | none: failed",
      "skip_existing, file removed | run_process | – | – | download, count, build, upload",
      "skip_existing, file removed | run_upload_only | yes | – | asks for the count; as many: upload; another number: download, count, build, upload",
      "skip_existing, file removed | run_upload_only | no | yes | asks for the count; as many: upload; another number: download, count, build, upload",
      "skip_existing, file removed | run_upload_only | no | no | upload",
      "skip_existing, file removed | skip_existing | yes | – | asks for the count; as many: nothing; another number: download, count, build, upload",
      "skip_existing, file removed | skip_existing | no | yes | asks for the count; as many: nothing; another number: download, count, build, upload",
      "skip_existing, file removed | skip_existing | no | no | none: existing",
      "skip_existing, file removed | skip_failed | – | – | none: failed",
      "skip_terminal | run_process, run_upload_only, skip_existing | yes | – | download, count, build, upload",
      "skip_terminal | run_process, run_upload_only, skip_existing | no | – | none: noData",
      "skip_terminal | skip_failed | yes | – | none: failed",
      "skip_terminal | skip_failed | no | – | none: noData",
      "skip_failed | – | – | – | none: failed",
    ]
  `);
});
