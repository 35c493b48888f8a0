/** Writing a day's body and giving up in the middle. */
import { open, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PlaceTaken, writeBody } from '../../../src/activities/download/artifact-body.ts';
import { DAY, START, makeWorkspace } from './set-up.ts';

/** How often this process has the file open. */
async function timesOpen(path: string): Promise<number> {
  const files = await readdir('/proc/self/fd');
  const targets = await Promise.all(files.map((file) => readlink(join('/proc/self/fd', file)).catch(() => '')));
  return targets.filter((target) => target === path).length;
}

test.skipIf(process.platform !== 'linux')(
  'a slice under other columns is not left open when its day is given up',
  async () => {
    const folders = await makeWorkspace();
    const path = join(folders.downloads, 'one.slice');
    const records = 400_000;
    const block = 'x,yyyyyyyy\r\n'.repeat(records);
    await writeFile(path, block);
    const counts = { records, distinctReadings: records, recordsPerSensor: {} };
    const times = { startMs: START, endMs: START + 1, fetchedAt: '2026-01-02T00:00:00.000Z', seconds: 0 };
    const sizes = { outside: 0, httpStatus: 200, bodyBytes: block.length, blockBytes: block.length, sha256: '' };
    const own = { version: 1, product: 'reach-101/quicklook', day: DAY, columns: ['b', 'a'] } as const;
    const slice = { path, blockStart: 0, header: { ...own, ...times, ...sizes, counts } };
    const part = { path: join(folders.downloads, 'part'), isTaken: (start: number) => start > 1_000 };
    const file = await open(part.path, 'w');
    await expect(writeBody(file, 'csv', [slice], ['a', 'b'], undefined, part)).rejects.toBeInstanceOf(PlaceTaken);
    await expect.poll(() => timesOpen(path)).toBe(0);
    await file.close();
    await rm(folders.downloads, { recursive: true });
  },
);
