/** A body that was kept because an earlier version could not read it, read with what this version can. No network, no thread. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ArtifactFormat } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { SliceData } from './answer.ts';
import { decodeBody } from './exchange.ts';
import { RecycledBuffer, ownMemory } from './recycled-buffer.ts';
import { PayloadError, RecordScanner } from './scan/record-scanner.ts';

/** As for answers. */
const LARGEST_BYTES = 128 << 20;
/** About two milliseconds of scanning: the caller's event loop stays free. */
const RECORDS_PER_STEP = 512;

/** `unreadable`: still, and why. */
export type KeptAnswer = SliceData | { readonly kind: 'empty' } | { readonly kind: 'unreadable'; readonly why: string };

/** @param encoding - `Content-Encoding` of the bytes, null for none */
export async function readKeptBody(
  bytes: Uint8Array,
  encoding: string | null,
  slice: Slice,
  format: ArtifactFormat,
): Promise<KeptAnswer> {
  let plain: Uint8Array;
  try {
    plain = (await decodeBody(encoding, bytes, LARGEST_BYTES)) ?? bytes;
  } catch (error) {
    return { kind: 'unreadable', why: (error as Error).message };
  }
  const body = new RecycledBuffer(ownMemory);
  body.append(plain);
  const out = new RecycledBuffer(ownMemory);
  try {
    const scanner = new RecordScanner(body, out, slice, format);
    while (!scanner.step(RECORDS_PER_STEP)) await setImmediate();
    const { received, columns, counts, outside } = scanner.result();
    if (received === 0) return { kind: 'empty' };
    const block = out.view();
    return { kind: 'data', block, sha256: createHash('sha256').update(block).digest('hex'), columns, counts, outside };
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    return { kind: 'unreadable', why: error.message };
  }
}
