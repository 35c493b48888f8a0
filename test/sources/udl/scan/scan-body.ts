/** Runs the scanner over a body in one go. */
import type { ArtifactFormat } from '../../../../src/core/product.ts';
import type { Slice } from '../../../../src/core/slices.ts';
import { BufferPool, ownMemory } from '../../../../src/sources/udl/recycled-buffer.ts';
import { RecordScanner } from '../../../../src/sources/udl/scan/record-scanner.ts';
import type { ScanResult } from '../../../../src/sources/udl/scan/record-scanner.ts';

export const START = Date.parse('2025-12-01T00:00:00Z');
export const SLICE: Slice = {
  startMs: START,
  endMs: START + 300_000,
  queryStartMs: START,
  queryEndMs: START + 300_000,
};

const buffers = new BufferPool(ownMemory);
/** Bytes. */
const BEHIND = 4_096;

export function scanBody(
  body: string | Uint8Array,
  { format = 'csv', slice = SLICE }: { format?: ArtifactFormat; slice?: Slice } = {},
): ScanResult & { text: string } {
  const source = buffers.take();
  const out = buffers.take();
  try {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    source.reserve(bytes.length + BEHIND);
    // What an earlier, longer answer left behind must never be read.
    source.bytes.fill(0x5b, 0, bytes.length + BEHIND);
    source.append(bytes);
    const scanner = new RecordScanner(source, out, slice, format);
    while (!scanner.step(7));
    return { ...scanner.result(), text: Buffer.from(out.view()).toString('utf8') };
  } finally {
    buffers.giveBack(source);
    buffers.giveBack(out);
  }
}
