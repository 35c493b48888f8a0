/** A file on its way: read in pieces, its SHA-256 taken along, the last piece held back until all is known to be right. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { notAsAnnounced } from '../delivery-checks.ts';
import type { Delivery } from '../destination.ts';

const PIECE_BYTES = 1 << 20;

/**
 * The source of a delivery as a stream of bytes. A source that is not what was announced breaks the stream before its end,
 * so that no server takes it for whole.
 *
 * @param onBytes - called with the bytes read so far
 */
export function verifiedBody(delivery: Delivery, onBytes: (bytes: number) => void): Readable {
  return Readable.from(pieces(delivery, onBytes), { objectMode: false });
}

async function* pieces(delivery: Delivery, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let held: Buffer | null = null;
  const source = createReadStream(delivery.sourcePath, { highWaterMark: PIECE_BYTES });
  for await (const piece of source as AsyncIterable<Buffer>) {
    hash.update(piece);
    sizeBytes += piece.length;
    if (sizeBytes > delivery.sizeBytes) break;
    if (held !== null) yield held;
    held = piece;
    onBytes(sizeBytes);
  }
  const sha256 = hash.digest('hex');
  if (sizeBytes !== delivery.sizeBytes || sha256 !== delivery.sha256) {
    throw notAsAnnounced(`The product ${delivery.sourcePath} reads as`, { sizeBytes, sha256 }, delivery);
  }
  if (held !== null) yield held;
}
