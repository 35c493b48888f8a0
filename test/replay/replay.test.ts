import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';
import { SCENARIOS } from './scenarios.ts';

const folder = fileURLToPath(new URL('../histories/', import.meta.url));
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

interface HistoryJson {
  readonly events: { startChildWorkflowExecutionInitiatedEventAttributes?: { workflowId: string } }[];
}

function read(file: string): HistoryJson {
  return JSON.parse(readFileSync(`${folder}${file}`, 'utf8')) as HistoryJson;
}

describe('recorded histories replay with the workflows of today', () => {
  test('every scenario has a recorded range', () => {
    const ranges = Object.keys(SCENARIOS).filter((name) => !files.includes(`${name}.range-1.json`));
    expect(ranges).toEqual([]);
    for (const file of ['continued-as-new.range-2', 'scheduled.run-1', 'zarr-synced.sync-1', 'zarr-rebuilt.sync-1']) {
      expect(files).toContain(`${file}.json`);
    }
  });

  test.each(files)('%s', async (file) => {
    const replay = Worker.runReplayHistory({ workflowBundle: await loadWorkflowBundle() }, read(file), file);
    await expect(replay).resolves.toBeUndefined();
  });

  test("a history that today's code cannot have made is refused", async () => {
    const history = read('finished.range-1.json');
    const started = history.events.find((event) => event.startChildWorkflowExecutionInitiatedEventAttributes);
    started!.startChildWorkflowExecutionInitiatedEventAttributes!.workflowId = 'day/another/one/2025-09-01';
    const replay = Worker.runReplayHistory({ workflowBundle: await loadWorkflowBundle() }, history, 'changed');
    await expect(replay).rejects.toThrow(/[Nn]ondeterminism/);
  });
});
