import { expect, test } from 'vitest';
import { createPlace, filesBelow, waitUntil } from './harness.ts';
import type { Place } from './harness.ts';
import type { ScheduleLine } from '../../src/schedules.ts';

async function list(place: Place): Promise<ScheduleLine | undefined> {
  const { stdout } = await place.run(['schedule', 'list', '--workspace', place.workspace, '--json']);
  return (JSON.parse(stdout) as ScheduleLine[])[0];
}

test('a schedule beside "reachback dev": two triggered runs, the second sends no request; refused without a server that stays', async () => {
  const place = await createPlace({ tiny: true });
  const at = ['--workspace', place.workspace];
  const alone = await place.run(['schedule', 'create', ...at]);
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('reachback dev --workspace') });

  const dev = place.start(['dev', ...at, '--initial-rate', '1000', '--max-rate', '1000']);
  await waitUntil('dev', () => dev.output().includes('web UI'));
  const target = ['--upload-to', `file://${place.delivered}`, '--sensor-id', 'REACH-101'];
  const created = await place.run(['schedule', 'create', ...at, '--name', 'd', '--trailing-days', '2', ...target]);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringContaining('daily at 03:17 UTC') });
  expect((await place.run(['schedule', 'create', ...at, '--name', 'd'])).code).toBe(2);

  const sent: number[] = [];
  for (const runs of [1, 2]) {
    expect((await place.run(['schedule', 'trigger', 'd', ...at])).code).toBe(0);
    await waitUntil(`run ${runs}`, async () => {
      const line = await list(place);
      return line?.recent.length === runs && line.running.length === 0;
    });
    sent.push(place.simulator.stats().requests);
  }
  const products = filesBelow(place.delivered).filter((path) => path.endsWith('.cdf'));
  expect(products).toHaveLength(2);
  expect(sent[0]).toBeGreaterThanOrEqual(8);
  expect(sent[1]).toBe(sent[0]);
  const status = await place.run(['status', ...at]);
  expect(status.stdout).toMatch(/reach-101\/quicklook +upload +UPLOADED +2/);

  expect((await place.run(['schedule', 'delete', 'd', ...at])).code).toBe(0);
  dev.child.kill('SIGTERM');
  expect((await dev.ended).code).toBe(0);
});
