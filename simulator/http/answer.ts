/**
 * What goes back to a client, as a value: made first, sent afterwards, so that a fault can change either.
 */
import type { OutgoingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** Whether this is the right and complete content for a slice: what "answered completely" counts. */
  readonly good: boolean;
  /** When a client that heeds `Retry-After` may ask again, in milliseconds from now. */
  readonly cooldownMs?: number;
}

export function json(status: number, value: unknown): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
    good: false,
  };
}

export function text(status: number, body: string, contentType = 'text/plain'): Answer {
  return { status, headers: { 'content-type': contentType }, body: Buffer.from(body), good: false };
}

/** An error as the source words it: an object with a message. */
export function refusal(status: number, message: string): Answer {
  return json(status, { status, error: message });
}
