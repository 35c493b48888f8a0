/**
 * The thread's side: encodes one day after the other, each in one go. Started by `encode-in-thread.ts` alone. What is large is
 * kept from day to day: fresh memory costs as much as some of the work.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import type { PeriodBytes } from '../../formats/zarr/index.ts';
import { openDayFile, told } from './day-file.ts';
import { encodeDay, SeriesTable } from './encode-day.ts';
import { zarrSchema } from './layout.ts';
import type { EncodeAnswer, EncodedDay, EncodeRequest } from './thread-protocol.ts';

/** Of 19. */
const NICENESS = 5;
/** Room beyond a file's end, so that the next one, a little longer, fits too. */
const SPARE_BYTES = 1 << 20;

if (!parentPort) throw new Error('src/products/reach-zarr/thread.ts runs as a worker thread only');
// The event loop that beats goes first where cores are few. Only Linux means the calling thread alone.
if (process.platform === 'linux') setPriority(NICENESS);
const port = parentPort;
port.on('message', (request: EncodeRequest) => void serve(request));

const table = new SeriesTable();
let fileBytes: Buffer = Buffer.alloc(0);

async function serve(request: EncodeRequest): Promise<void> {
  const answer = await encode(request).catch(failed);
  const bytes = answer.kind === 'encoded' ? Object.values(answer.encoded.bytes) : [];
  const moved = bytes.flatMap((content) => (content ? [content.buffer as ArrayBuffer] : []));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of Node, not a window
  port.postMessage(answer, moved);
}

async function encode({ day: listed, settings, withBytes }: EncodeRequest): Promise<EncodeAnswer> {
  const { day, path, sha256 } = listed;
  const content = await told(readWhole(path));
  if (Array.isArray(content)) return { kind: 'differs', differences: content };
  const found = sha256Of(content);
  if (found !== sha256) {
    return { kind: 'differs', differences: [`file: expected SHA-256 ${sha256} as listed, found ${found}`] };
  }
  const file = await told(openDayFile(content, day, settings));
  if (Array.isArray(file)) return { kind: 'differs', differences: file };
  const bytes = await told(encodeDay(file, { file: basename(path), sha256 }, zarrSchema(settings), table));
  return Array.isArray(bytes) ? { kind: 'differs', differences: bytes } : encoded(bytes, withBytes);
}

function encoded(bytes: PeriodBytes, withBytes: boolean): EncodeAnswer {
  const each = Object.entries(bytes);
  const hashes = Object.fromEntries(each.map(([name, content]) => [name, content && sha256Of(content)]));
  const own = each.map(([name, content]) => [name, content && withOwnMemory(content)] as const);
  const answer: EncodedDay = { hashes, bytes: withBytes ? Object.fromEntries(own) : {} };
  return { kind: 'encoded', encoded: answer };
}

/** Small buffers share their memory with others, and memory moves to another thread as a whole. */
function withOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}

/** The file in memory that the next one takes over. */
async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (fileBytes.length < size) fileBytes = Buffer.allocUnsafeSlow(size + SPARE_BYTES);
    let length = 0;
    for (let read = 1; read > 0 && length < size; length += read) {
      read = (await file.read(fileBytes, length, size - length, length)).bytesRead;
    }
    return fileBytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function failed(error: unknown): EncodeAnswer {
  const { message, code, stack } = error as NodeJS.ErrnoException;
  return { kind: 'failed', message, code, stack };
}
