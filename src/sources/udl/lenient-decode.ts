/** What can be read of a compressed body that is damaged: everything before the damage. */
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { Transform } from 'node:stream';

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }),
  'x-gzip': () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }),
  deflate: () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush }),
};

/**
 * Never throws: an unknown encoding gives nothing.
 *
 * @param most - bytes after decoding; more are left out
 */
export async function decodeLeniently(encoding: string | null, body: Uint8Array, most: number): Promise<Uint8Array> {
  const decoder = DECODERS[encoding?.trim().toLowerCase() ?? '']?.();
  if (!decoder) return new Uint8Array();
  const pieces: Buffer[] = [];
  let length = 0;
  await new Promise<void>((resolve) => {
    decoder
      .on('data', (piece: Buffer) => {
        pieces.push(piece);
        length += piece.length;
        if (length >= most) decoder.destroy();
      })
      .once('error', () => resolve())
      .once('close', () => resolve())
      .end(body);
  });
  return Buffer.concat(pieces).subarray(0, most);
}
