/** Late data through the real program: what came later makes the next version of its day's product, and nothing else moves. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ReachbackClient } from '../../src/client.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { readEmbeddedInfo } from '../../src/storage/embedded-file.ts';
import { openWorkspace } from '../../src/storage/workspace.ts';
import { createPlace, fileHashes, fingerprint, runArgs, waitUntil } from './harness.ts';

describe('run --refresh', () => {
  test('UDL-D14, SAFE-11: a changed day is fetched in parts, built as v1.0.1 and delivered; restore brings v1.0.0 back until more data come', async () => {
    const place = await createPlace();
    const args = runArgs(place, '2025-09-01', '2025-09-02');
    expect((await place.run(args)).code).toBe(0);
    const delivered = fileHashes(place.delivered);
    const folders = [join(place.workspace, 'downloads'), join(place.workspace, 'products')];
    const untouched = folders.map((folder) => fingerprint(folder));

    let before = place.simulator.stats().requests;
    const same = await place.run([...args, '--refresh']);
    expect(same.code).toBe(0);
    expect(same.stdout).toContain('downloaded=0 processed=0 uploaded=0 skipped_existing=2');
    expect(place.simulator.stats().requests - before).toBe(2);
    expect(folders.map((folder) => fingerprint(folder))).toEqual(untouched);

    place.simulator.deliverLate('2025-09-02', 2);
    before = place.simulator.stats().requests;
    const changed = await place.run([...args, '--refresh']);
    expect(changed.stdout).toContain('downloaded=1 processed=1 uploaded=1 skipped_existing=1');
    expect(place.simulator.stats().requests - before).toBeLessThan(40);
    const after = fileHashes(place.delivered);
    const added = Object.keys(after).filter((name) => !(name in delivered));
    expect(added).toEqual(['l1c/prelim/2025/09/02/reach_all_l1c_prelim_20250902T000000_v1.0.1.cdf']);
    expect(after).toMatchObject(delivered);

    // SAFE-11: the former product comes back, stays, and what the source sends later still gets a version of its own.
    const at = ['--workspace', place.workspace];
    const listed = await place.run(['restore', '--list', ...at]);
    expect(listed.stdout).toMatch(/^2025-09-02 .* product +v1\.0\.0 parity .*_backup\/.*_v1\.0\.0\.cdf$/m);
    expect(listed.stdout).toMatch(/^2025-09-02 .* download .*_backup\//m);
    const products = fileHashes(join(place.workspace, 'products'));
    const restored = await place.run(['restore', '2025-09-02', ...at]);
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('v1.0.0 is back') });
    const [name] = added;
    const formerName = name!.replace('v1.0.1', 'v1.0.0');
    const back = fileHashes(join(place.workspace, 'products'));
    expect(back[formerName]).toBe(delivered[formerName]);
    expect(back).not.toHaveProperty([name!]);
    expect(Object.values(back)).toContain(products[name!]);
    const again = await place.run(args);
    expect(again.stdout).toContain('downloaded=0 processed=0 uploaded=1 skipped_existing=1');
    expect(fileHashes(place.delivered)).toEqual(after);
    expect((await place.run(args)).stdout).toContain('uploaded=0 skipped_existing=2');
    expect((await place.run(['verify', ...at])).code).toBe(0);
    expect((await place.run(['restore', '2025-09-01', ...at])).stderr).toContain('was ever replaced');

    place.simulator.deliverLate('2025-09-02', 1);
    expect((await place.run([...args, '--refresh'])).stdout).toContain('downloaded=1 processed=1 uploaded=1');
    const third = Object.keys(fileHashes(place.delivered)).filter((each) => !(each in after));
    expect(third).toEqual([name!.replace('v1.0.1', 'v1.0.2')]);

    // ADR 0018: beside a server that others use, a day that somebody is at is left alone.
    const dev = place.start(['dev', '--no-worker', ...at]);
    await waitUntil('the server', () => dev.output().includes('web UI'));
    const workspace = await openWorkspace({ dir: place.workspace });
    const { address = '' } = (await readEmbeddedInfo(workspace)) ?? {};
    const connection = await Connection.connect({ address });
    onTestFinished(() => connection.close());
    const client = new ReachbackClient(connection, 'default');
    const giveBack = await client.holdDay(workspace.name, 'reach-all/quicklook', parseDay('2025-09-02'));
    const present = fileHashes(join(place.workspace, 'products'));
    for (const external of [{}, { TEMPORAL_ADDRESS: address }]) {
      const refused = await place.run(['restore', '2025-09-02', ...at], external);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is being worked at') });
    }
    expect(fileHashes(join(place.workspace, 'products'))).toEqual(present);
    await giveBack?.();
    const older = ['restore', '2025-09-02', '--version', '1.0.1', ...at];
    const external = await place.run(older, { TEMPORAL_ADDRESS: address });
    expect(external).toMatchObject({ code: 0, stdout: expect.stringContaining('v1.0.1 is back') });
    const [former, latest] = [name!, third[0]!];
    expect(fileHashes(join(place.workspace, 'products'))).toMatchObject({ [former]: after[former] });
    expect((await place.run(['restore', '2025-09-02', ...at])).stdout).toContain('v1.0.2 is back');
    expect(fileHashes(join(place.workspace, 'products'))).toMatchObject({ [latest]: present[latest] });
  });
});
