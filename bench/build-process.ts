/**
 * Builds one product in a fresh process and tells what it cost.
 *
 *     node --expose-gc bench/build-process.ts <day.csv> <out.cdf> parity|istp [<sha256 of the day, as recorded>]
 */
import { statSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Profile } from '../src/core/backfill/types.ts';
import { buildL1c } from '../src/products/reach-l1c/index.ts';

/** The histogram counts from one look to the next, so an idle loop shows this much. */
const RESOLUTION_MS = 5;

const [inputPath = '', outputPath = '', profile = 'parity', sha256] = process.argv.slice(2);
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
globalThis.gc?.();
delay.enable();
const startedMs = performance.now();
const startedCpu = process.cpuUsage();
const { size, mtimeMs } = statSync(inputPath);
const { sizeBytes } = await buildL1c({
  inputPath,
  ...(sha256 === undefined ? {} : { knownInput: { sizeBytes: size, mtimeMs, sha256 } }),
  format: 'csv',
  outputPath,
  sensor: 'ALL',
  profile: profile as Profile,
  version: '1.0.0',
  generationDate: '2025-01-01',
  quarantineLimit: 0.01,
});
const wallS = (performance.now() - startedMs) / 1_000;
const { user, system } = process.cpuUsage(startedCpu);
delay.disable();
process.stdout.write(
  JSON.stringify({
    wallS,
    cpuS: (user + system) / 1e6,
    peakRssMiB: process.resourceUsage().maxRSS / 1_024,
    longestDelayMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS),
    sizeBytes,
  }),
);
