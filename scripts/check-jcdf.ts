/**
 * Reads our files with JCDF, a fourth independent reader, in Java: the matrix of `test/formats/cdf` and a product of
 * each profile. Run by hand, as it needs Java 17 and the library, which no package registry of ours has:
 *
 *     apt-get download libjcdf-java && dpkg -x libjcdf-java_*.deb jcdf
 *     node scripts/check-jcdf.ts jcdf/usr/share/java/jcdf-1.2.4.jar
 *
 * Prints each file that JCDF sees differently, and how; the exit code is then 1.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { PROFILES } from '../src/core/backfill/types.ts';
import { buildL1c } from '../src/products/reach-l1c/index.ts';
import { expectedDump, writeCase } from '../test/formats/cdf/cases.ts';
import { dumpWithOurs } from '../test/formats/cdf/dumps.ts';
import type { FileDump } from '../test/formats/cdf/dumps.ts';
import { MATRIX } from '../test/formats/cdf/matrix.ts';

const ROOT = join(import.meta.dirname, '..');
const SAMPLE = join(ROOT, 'test/fixtures/reach/REACH-TEST_20250904T000000_20250904T010000.csv');
const PROGRAM = join(ROOT, 'test/support/java/JcdfDump.java');
const SHOWN_CHARACTERS = 200;

const [jar] = process.argv.slice(2);
if (jar === undefined) throw new Error('Name the jar of JCDF; see the head of this script.');
const folder = await mkdtemp(join(tmpdir(), 'cdf-jcdf-'));
try {
  const expected = new Map<string, FileDump>();
  for (const example of MATRIX) expected.set(await writeCase(folder, example), withoutPads(expectedDump(example)));
  for (const profile of PROFILES) {
    const path = await buildProduct(profile);
    expected.set(path, await dumpWithOurs(path));
  }
  const found = await dumpWithJcdf([...expected.keys()]);
  let differing = 0;
  for (const [path, dump] of expected) {
    const differences = compare(dump, found.get(path));
    if (differences.length > 0) differing++;
    for (const difference of differences) process.stdout.write(`${path}: ${difference}\n`);
  }
  process.stdout.write(`${expected.size} files, ${differing} of them seen differently by JCDF\n`);
  process.exitCode = differing > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function buildProduct(profile: (typeof PROFILES)[number]): Promise<string> {
  const outputPath = join(folder, `product-${profile}.cdf`);
  await buildL1c({
    inputPath: SAMPLE,
    format: 'csv',
    outputPath,
    sensor: 'ALL',
    profile,
    version: '1.0.0',
    generationDate: '2025-01-01',
    quarantineLimit: 0.01,
  });
  return outputPath;
}

async function dumpWithJcdf(paths: readonly string[]): Promise<Map<string, FileDump | { error: string }>> {
  const java = spawn('java', ['-cp', jar!, PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  java.stdin.end(paths.map((path) => `${path}\n`).join(''));
  const lines = (await text(java.stdout)).split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const { file, ...dump } = JSON.parse(line) as FileDump & { file: string };
      return [file, dump];
    }),
  );
}

/** JCDF does not tell pads of files that lack no record. */
function withoutPads({ variables, ...rest }: FileDump): FileDump {
  return { ...rest, variables: variables.map((variable) => ({ ...variable, pad: undefined })) };
}

function compare(expected: FileDump, found: FileDump | { error: string } | undefined): string[] {
  if (!found || 'error' in found) return [found?.error ?? 'no answer'];
  const differences = [
    ...listDifferences('globals', expected.globals, found.globals),
    ...listDifferences('attributes', expected.attributes, found.attributes),
  ];
  expected.variables.forEach((variable, i) => {
    differences.push(...listDifferences(variable.name, { ...variable }, { ...found.variables[i], pad: undefined }));
  });
  if (found.variables.length !== expected.variables.length) differences.push(`${found.variables.length} variables`);
  return differences;
}

function listDifferences(
  where: string,
  expected: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): string[] {
  const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
  return [...keys]
    .filter((key) => !isDeepStrictEqual(expected[key], found[key]))
    .map((key) => `${where}.${key}: expected ${brief(expected[key])}, found ${brief(found[key])}`);
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_CHARACTERS);
}
