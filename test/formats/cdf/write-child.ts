/**
 * Writes in a process of its own, for tests about threads, memory and death.
 *
 *     write-child.ts digest PATH            sends the SHA-256 of a file with many compressed blocks
 *     write-child.ts peak PATH RECORDS      sends the peak resident memory in KiB; needs --expose-gc
 *     write-child.ts peak-plain PATH RECORDS   the same, uncompressed with declared counts
 *     write-child.ts endless PATH           sends "writing" once values flow, and never ends
 */
import { CdfWriter } from '../../../src/formats/cdf/index.ts';
import type { CdfSchema } from '../../../src/formats/cdf/index.ts';

const [mode, path, records] = process.argv.slice(2) as [
  'digest' | 'peak' | 'peak-plain' | 'endless',
  string,
  string | undefined,
];

const BATCH = 2_000;
const WIDTH = 13;
const STORED = mode === 'peak-plain' ? ({ records: Number(records) } as const) : ({ gzipLevel: 1 } as const);
const SCHEMA: CdfSchema = {
  globalAttributes: [],
  variables: [
    { name: 'Epoch', type: 'CDF_TIME_TT2000', recordVarying: true, monotonic: 'strict', ...STORED, attributes: [] },
    { name: 'flux', type: 'CDF_DOUBLE', dims: [WIDTH], recordVarying: true, ...STORED, attributes: [] },
  ],
};

const writer = await CdfWriter.open(path, SCHEMA, { blockBytes: 65_536 });

// Reused for every batch: what grows is then the writer's.
const times = new BigInt64Array(BATCH);
const flux = Float64Array.from({ length: BATCH * WIDTH }, (_, i) => Math.round(Math.sin(i) * 1e4));

async function appendBatch(first: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) times[i] = BigInt(first + i) * 1_000_000n;
  await writer.append('Epoch', times.subarray(0, count));
  await writer.append('flux', flux.subarray(0, count * WIDTH));
}

async function appendAll(total: number): Promise<void> {
  for (let first = 0; first < total; first += BATCH) {
    await appendBatch(first, Math.min(BATCH, total - first));
    if (mode.startsWith('peak') && first % (10 * BATCH) === 0) globalThis.gc?.(); // garbage that waits to be collected is not held
  }
}

if (mode === 'digest') {
  await appendAll(50_000);
  process.send?.((await writer.close()).sha256);
} else if (mode.startsWith('peak')) {
  await appendAll(Number(records));
  await writer.close();
  process.send?.(process.resourceUsage().maxRSS);
} else {
  for (let first = 0; ; first += BATCH) {
    await appendBatch(first, BATCH);
    if (first === 20 * BATCH) process.send?.('writing');
  }
}
