/** Which sources of `wasm/` are compiled, to where, and how. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../..');
/** Run as a program: its types would change those of arrays everywhere. */
const COMPILER = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));

export interface WasmModule {
  /** Path of the AssemblyScript source. */
  readonly source: string;
  /** Path of the compiled module, beside its user. */
  readonly target: string;
}

/** By folder of `wasm/`: where the result goes. */
const TARGETS: Readonly<Record<string, string>> = {
  rows: 'src/products/reach-l1c/read/plain-rows.wasm',
  scan: 'src/sources/udl/scan/record-copier.wasm',
};

export const WASM_MODULES: readonly WasmModule[] = Object.entries(TARGETS).map(([folder, target]) => ({
  source: join(ROOT, 'wasm', folder, 'index.ts'),
  target: join(ROOT, target),
}));

/** No runtime and no data of its own but constants: the user owns the memory. */
const OPTIONS = [
  '--optimizeLevel 3',
  '--shrinkLevel 0',
  '--converge',
  '--noAssert',
  '--runtime stub',
  '--importMemory',
  '--enable simd',
  '--enable bulk-memory',
].flatMap((option) => option.split(' '));

/** @throws Error with what the compiler says */
export async function compile({ source }: WasmModule): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'reachback-wasm-'));
  try {
    const target = join(folder, 'out.wasm');
    await promisify(execFile)(process.execPath, [COMPILER, source, ...OPTIONS, '--outFile', target], { cwd: ROOT });
    return await readFile(target);
  } finally {
    await rm(folder, { recursive: true });
  }
}
