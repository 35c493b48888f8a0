/** The README's first file: done as it says, in an empty folder, with nothing but Node and a copy of the library. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as library from '../../../src/formats/cdf/index.ts';
import { encode, dumpWithReaders, READERS } from './dumps.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
const LIBRARY = join(ROOT, 'src/formats/cdf');

let readme: string;
let folder: string;
let cdf: string;
beforeAll(async () => {
  readme = await readFile(join(LIBRARY, 'README.md'), 'utf8');
  folder = await mkdtemp(join(tmpdir(), 'cdf-readme-'));
  cdf = join(folder, 'first_20250904_v1.cdf');
  await cp(LIBRARY, join(folder, 'cdf'), { recursive: true });
  await writeFile(join(folder, 'first.mts'), /```ts\n(.*?)```/s.exec(readme)![1]!);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('the example runs as it stands and prints what the README says', async () => {
  const { stdout, stderr } = await run(process.execPath, ['first.mts'], { cwd: folder });
  expect(stdout.trim()).toBe(/It prints `([^`]+)`/.exec(readme)![1]);
  expect(stderr).toBe('');
  expect((await library.validateCdf(cdf, { istp: false })).findings).toEqual([]);
});

test('three independent readers find in its file what the example says', async () => {
  const verdicts = (await dumpWithReaders([cdf])).get(cdf)!;
  for (const reader of READERS) {
    expect(verdicts[reader].error).toBeUndefined();
    const { variables, globals, attributes } = verdicts[reader].dump!;
    expect(globals).toEqual({ Project: { 0: [51, 'DEMO>Demonstration'] } });
    expect(attributes['flux']).toMatchObject({ DEPEND_0: [51, 'Epoch'], DEPEND_1: [51, 'sensor'] });
    expect(variables.map(({ name, values }) => [name, values])).toEqual([
      ['Epoch', encode(BigInt64Array.of(810_216_069_184_000_000n, 810_216_074_184_000_000n))],
      ['sensor', ['left', 'right']],
      ['flux', encode(Float64Array.of(1.5, 2.5, -1e31, 3.5))],
    ]);
  }
});

test('the example and the library pass a strict type check outside this project', async () => {
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const flags = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', '--types', 'node'];
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const { stdout } = await run(tsc, [...flags, '--allowImportingTsExtensions', 'first.mts'], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
});

test('every name that the library exports is explained where it is declared', async () => {
  const index = await readFile(join(LIBRARY, 'index.ts'), 'utf8');
  const exported = [...index.matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/g)];
  expect(exported.length).toBeGreaterThan(10);
  for (const [, names, file] of exported) {
    const source = await readFile(join(LIBRARY, file!), 'utf8');
    for (const name of names!.split(',').map((each) => each.trim())) {
      const declaration = new RegExp(`\\*/\\nexport (?:async )?(?:const|class|function|interface|type) ${name}\\b`);
      expect(source, `${name} in ${file}`).toMatch(declaration);
    }
  }
});

test('the README names every value that the library exports', () => {
  for (const name of Object.keys(library)) expect(readme).toContain(`\`${name}`);
});
