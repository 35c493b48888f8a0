/** The README's first file, run as it stands there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readCdf, validateCdf } from '../../../src/formats/cdf/index.ts';

const LIBRARY = join(import.meta.dirname, '../../../src/formats/cdf');

test('the example of the README writes a sound file, and reads it back as it says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cdf-readme-'));
  try {
    const readme = await readFile(join(LIBRARY, 'README.md'), 'utf8');
    const [write, read] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!) as [string, string];
    expect(write.trimEnd().split('\n').length).toBeLessThanOrEqual(20);
    const script = `import { readCdf } from './index.ts';\n${write}\n${read}\nconsole.log(globalAttributes.size, sizeBytes, sha256.length);`;
    await writeFile(join(folder, 'first.mts'), script.replaceAll('./index.ts', join(LIBRARY, 'index.ts')));
    const { stdout } = await promisify(execFile)(process.execPath, ['first.mts'], { cwd: folder });
    const path = join(folder, 'first_20250904_v1.cdf');
    expect(stdout).toBe(`1 ${(await readFile(path)).length} 64\n`);
    expect((await validateCdf(path, { istp: false })).findings).toEqual([]);
    expect((await readCdf(path)).variables.get('flux')?.values).toEqual(Float64Array.of(1.5, 2.5, -1e31, 3.5));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
