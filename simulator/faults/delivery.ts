/**
 * Sends an answer, soundly or with a fault of transport.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../http/answer.ts';
import type { Fault, Moment } from './plan.ts';

/** Pieces of a drip per second: enough to keep an idle timeout quiet. */
const DRIPS_PER_S = 10;
/** Lets what was written reach the client before the connection dies: a reset discards what is under way. */
const ARRIVAL_MS = 25;

/** Sends `answer`; resolves when everything that will be sent was handed over. Never rejects on a lost client. */
export async function deliver(response: ServerResponse, answer: Answer, fault: Fault | undefined): Promise<void> {
  switch (fault?.kind) {
    case 'short_body':
      return sendShort(response, answer, fault.framing);
    case 'reset':
      await sendUpTo(response, answer, fault.at);
      if (fault.at !== 'before_headers') await sleep(ARRIVAL_MS);
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return sendUpTo(response, answer, fault.at);
    case 'drip':
      return drip(response, answer, fault.bytesPerS);
    default:
      writeHead(response, answer);
      response.end(answer.body);
  }
}

function writeHead(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
}

/** Half an answer; an empty one has no half, so its connection ends with nothing of it sent. */
async function sendUpTo(response: ServerResponse, answer: Answer, moment: Moment): Promise<void> {
  if (moment === 'before_headers') return;
  writeHead(response, answer);
  response.flushHeaders();
  if (moment === 'mid_body') await write(response, firstHalf(answer.body));
}

async function sendShort(response: ServerResponse, answer: Answer, framing: 'length' | 'chunked'): Promise<void> {
  if (framing === 'length') writeHead(response, answer);
  else response.writeHead(answer.status, { ...answer.headers, 'transfer-encoding': 'chunked' });
  response.flushHeaders();
  await write(response, firstHalf(answer.body));
  response.socket?.end();
}

async function drip(response: ServerResponse, answer: Answer, bytesPerS: number): Promise<void> {
  const piece = Math.max(1, Math.floor(bytesPerS / DRIPS_PER_S));
  const pauseMs = (piece / bytesPerS) * 1000;
  writeHead(response, answer);
  response.flushHeaders();
  let at = 0;
  for (; at + piece < answer.body.length && !response.destroyed; at += piece) {
    await write(response, answer.body.subarray(at, at + piece));
    await sleep(pauseMs);
  }
  response.end(answer.body.subarray(at));
}

function firstHalf(body: Buffer): Buffer {
  return body.subarray(0, Math.floor(body.length / 2));
}

/** Resolves when the bytes were handed to the system, or the client is gone. */
async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve();
    };
    response.once('close', done);
    response.write(bytes, done);
  });
}
