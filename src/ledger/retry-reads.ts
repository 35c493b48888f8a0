/** A reader beside a busy writer, or on a network file system, meets errors that pass (TRACK-11, TRACK-14). */
import { setTimeout as delay } from 'node:timers/promises';
import { isPipelineError } from '../core/errors.ts';

/** Waits before the second and the third attempt. */
const WAITS_MS = [500, 2_000] as const;

/** Held by another, or momentary trouble of the file system; network file systems also say "not a database" in passing. */
const TRANSIENT_CODE = /^SQLITE_(BUSY|LOCKED|IOERR|NOTADB|PROTOCOL)(_|$)/;

export type Sleep = (ms: number) => Promise<unknown>;

/** Runs `read` up to three times while it fails with what may pass; then, or on any other error, its own error surfaces. */
export async function retryRead<T>(read: () => Promise<T>, sleep: Sleep = delay): Promise<T> {
  for (const waitMs of WAITS_MS) {
    try {
      return await read();
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(waitMs);
    }
  }
  return read();
}

/** The same reader, each of whose methods is retried. Only for methods that change nothing. */
export function withRetriedReads<T extends { readonly [K in keyof T]: (...args: never[]) => Promise<unknown> }>(
  reader: T,
  sleep?: Sleep,
): T {
  const methods = Object.entries<(...args: never[]) => Promise<unknown>>(reader);
  return Object.fromEntries(
    methods.map(([name, method]) => [name, (...args: never[]) => retryRead(() => method(...args), sleep)]),
  ) as unknown as T;
}

/** Opening wraps SQLite's error, so its cause counts too. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isPipelineError(error, 'ledger_unavailable')) return true;
  const { code } = error as { code?: unknown };
  return (typeof code === 'string' && TRANSIENT_CODE.test(code)) || isTransient(error.cause);
}
