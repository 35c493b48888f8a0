/**
 * The CDF writer beside its two floors, on the values of a finished product.
 *
 *     node --expose-gc bench/write-process.ts <product.cdf> <folder>
 */
import { createHash } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { CdfReader, CdfWriter } from '../src/formats/cdf/index.ts';
import type { CdfSchema, CdfValues, CdfVariable } from '../src/formats/cdf/index.ts';
import type { Cost, WriteFigures } from './cases/write.ts';
import { median } from './support/figures.ts';

const gzipAsync = promisify(gzip);

const TIMES = 5;
/** Records handed to the writer at once, variable after variable, as a build does. */
const BATCH_RECORDS = 512;
const GZIP_LEVEL = 4;
/** As the writer cuts them. */
const BLOCK_BYTES = 262_144;
/** Blocks under way: enough to keep libuv's threads busy, as in the writer. */
const UNDER_WAY = 2 * (Number(process.env['UV_THREADPOOL_SIZE']) || 4);
const PIECE_BYTES = 1 << 20;

interface Column {
  readonly variable: CdfVariable;
  readonly records: number;
  readonly values: CdfValues;
}

const [productPath = '', folder = ''] = process.argv.slice(2);
const columns = await readColumns(productPath);
const outputPath = join(folder, 'out.cdf');
const copyPath = join(folder, 'copy');

const costs = { plain: newCosts(), copy: newCosts(), summed: newCosts(), summedCopy: newCosts() };
const gzipCosts = { gzip: newCosts(), zlib: newCosts() };
let plainBytes = 0;
let gzipBytes = 0;
for (let time = 0; time < TIMES; time++) {
  await measure(costs.plain, () => write(0));
  plainBytes = (await stat(outputPath)).size;
  const bytes = await readFile(outputPath);
  await measure(costs.copy, () => copy(bytes, ['sha256']));
  await measure(costs.summed, () => write(0, true));
  await measure(costs.summedCopy, () => copy(bytes, ['sha256', 'md5']));
  await measure(gzipCosts.gzip, () => write(GZIP_LEVEL));
  gzipBytes = (await stat(outputPath)).size;
  await measure(gzipCosts.zlib, compress);
}
await Promise.all([rm(outputPath, { force: true }), rm(copyPath, { force: true })]);
const figures: WriteFigures = {
  plain: middle(costs.plain),
  copy: middle(costs.copy),
  summed: middle(costs.summed),
  summedCopy: middle(costs.summedCopy),
  gzip: middle(gzipCosts.gzip),
  zlib: middle(gzipCosts.zlib),
  plainBytes,
  gzipBytes,
  times: TIMES,
};
process.stdout.write(JSON.stringify(figures));

interface Costs {
  readonly wallS: number[];
  readonly cpuS: number[];
}

function newCosts(): Costs {
  return { wallS: [], cpuS: [] };
}

function middle({ wallS, cpuS }: Costs): Cost {
  return { wallS: median(wallS), cpuS: median(cpuS) };
}

async function measure({ wallS, cpuS }: Costs, work: () => Promise<unknown>): Promise<void> {
  await Promise.all([rm(outputPath, { force: true }), rm(copyPath, { force: true })]);
  globalThis.gc?.();
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(startedCpu);
  wallS.push((performance.now() - startedMs) / 1_000);
  cpuS.push((user + system) / 1e6);
}

async function write(gzipLevel: 0 | 4, checksum = false): Promise<void> {
  const schema: CdfSchema = {
    globalAttributes: [],
    variables: columns.map(({ variable }) => ({ ...variable, gzipLevel: variable.recordVarying ? gzipLevel : 0 })),
  };
  const writer = await CdfWriter.open(outputPath, schema, { checksum });
  const most = Math.max(...columns.map(({ records }) => records));
  for (let first = 0; first < most; first += BATCH_RECORDS) {
    for (const { variable, records, values } of columns) {
      if (first >= records) continue;
      const perRecord = values.length / records;
      const end = Math.min(records, first + BATCH_RECORDS);
      await writer.append(variable.name, part(values, first * perRecord, end * perRecord));
    }
  }
  await writer.close();
}

/** Writes and hashes the same bytes, and makes them as durable. */
async function copy(bytes: Buffer, algorithms: readonly string[]): Promise<string[]> {
  const hashes = algorithms.map((algorithm) => createHash(algorithm));
  const file = await open(copyPath, 'wx');
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    for (const hash of hashes) hash.update(piece);
    await file.write(piece);
  }
  await file.sync();
  await file.close();
  return hashes.map((hash) => hash.digest('hex'));
}

/** Compresses the same values in the same blocks on the same threads, and drops the result. */
async function compress(): Promise<void> {
  const blocks = columns.flatMap(({ variable, values }) => (variable.recordVarying ? cut(values) : []));
  const runner = async (): Promise<void> => {
    for (let block = blocks.pop(); block; block = blocks.pop()) await gzipAsync(block, { level: GZIP_LEVEL });
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, runner));
}

function cut(values: CdfValues): Uint8Array[] {
  if (isTexts(values)) return [];
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return Array.from({ length: Math.ceil(bytes.length / BLOCK_BYTES) }, (_, index) =>
    bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES),
  );
}

function part(values: CdfValues, start: number, end: number): CdfValues {
  return isTexts(values) ? values.slice(start, end) : values.subarray(start, end);
}

function isTexts(values: CdfValues): values is readonly string[] {
  return Array.isArray(values);
}

async function readColumns(path: string): Promise<Column[]> {
  const reader = await CdfReader.open(path);
  try {
    const found: Column[] = [];
    for (const { name, type, elements, dims, recordVarying, records } of reader.variables.values()) {
      const isText = type === 'CDF_CHAR' || type === 'CDF_UCHAR';
      const variable = { name, type, dims, recordVarying, records, attributes: [], ...(isText && { elements }) };
      found.push({ variable, records, values: await reader.read(name) });
    }
    return found;
  } finally {
    await reader.close();
  }
}
