/**
 * Fuzzes the CDF reader for long: damage at random to files of all writers must be read or refused, quickly.
 *
 *     node scripts/fuzz-cdf.ts [--minutes 10] [--seed 1] [FILE...]
 *
 * Without files it takes the fixtures and fresh files of cdflib, CDFpp and libcdf. A finding is kept beside the report:
 * its path and seed are printed, and the exit code is 1.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom, mutate, readDamaged } from '../test/formats/cdf/mutate.ts';
import { runPython } from '../test/support/python.ts';

const FIXTURES = join(import.meta.dirname, '../test/fixtures/cdf');
const SLOW_MS = 5_000;
const REPORT_EVERY_MS = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const folder = await mkdtemp(join(tmpdir(), 'cdf-fuzz-'));
const path = join(folder, 'mutated.cdf');
const sources = await Promise.all(
  (await sourceFiles()).map(async (file) => ({ name: basename(file), bytes: await readFile(file) })),
);

const counts = { read: 0, refused: 0, findings: 0 };
let slowestMs = 0;
let largestBytes = 0;
const start = performance.now();
let nextReport = start + REPORT_EVERY_MS;
for (let seed = Number(values.seed); performance.now() - start < Number(values.minutes) * 60_000; seed++) {
  const { name, bytes } = sources[seed % sources.length]!;
  await tryOne(name, mutate(bytes, createRandom(seed)), seed);
  if (performance.now() > nextReport) {
    report();
    nextReport += REPORT_EVERY_MS;
  }
}
report();
if (counts.findings === 0) await rm(folder, { recursive: true, force: true });
process.exitCode = counts.findings === 0 ? 0 : 1;

async function sourceFiles(): Promise<string[]> {
  if (positionals.length > 0) return positionals;
  const fixtures = (await readdir(FIXTURES))
    .filter((name) => name.endsWith('.cdf'))
    .map((name) => join(FIXTURES, name));
  return [...fixtures, ...(await runPython('make_files.py', [folder])).split('\n').filter(Boolean)];
}

async function tryOne(name: string, damaged: Buffer, seed: number): Promise<void> {
  await writeFile(path, damaged);
  const before = performance.now();
  try {
    counts[await readDamaged(path)]++;
  } catch (error) {
    await keep(name, damaged, seed, error);
  }
  const tookMs = performance.now() - before;
  if (tookMs > SLOW_MS) await keep(name, damaged, seed, `took ${Math.round(tookMs)} ms`);
  slowestMs = Math.max(slowestMs, tookMs);
  largestBytes = Math.max(largestBytes, process.memoryUsage().arrayBuffers);
}

async function keep(name: string, damaged: Buffer, seed: number, why: unknown): Promise<void> {
  counts.findings++;
  const kept = join(folder, `finding-${seed}.cdf`);
  await writeFile(kept, damaged);
  console.error(`${name}, seed ${seed}, kept as ${kept}:`, why);
}

function report(): void {
  const seconds = Math.round((performance.now() - start) / 1000);
  const { read, refused, findings } = counts;
  const most = `slowest ${Math.round(slowestMs)} ms, at most ${Math.round(largestBytes / 2 ** 20)} MiB of buffers`;
  console.log(`${seconds} s, ${sources.length} files: ${read} read, ${refused} refused, ${findings} findings; ${most}`);
}
