/** Where a ledger is: a file of this machine, or a PostgreSQL database. */
import { resolve } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

export type LedgerAddress =
  | { readonly kind: 'sqlite'; readonly file: string }
  | {
      readonly kind: 'postgres';
      /** May hold a password. */
      readonly url: Secret;
      /** User, host and database, for messages. */
      readonly shown: string;
    };

/**
 * Reads `REACHBACK_LEDGER_URL`; without one the ledger is the workspace's own file.
 *
 * @param ledgerPath - absolute path of that file
 * @throws PipelineError `config_invalid`, which never repeats the value: it may hold a password
 */
export function ledgerAddress(url: Secret | null, ledgerPath: string): LedgerAddress {
  if (url === null) return { kind: 'sqlite', file: ledgerPath };
  const text = url.reveal();
  if (/^sqlite:./.test(text)) return { kind: 'sqlite', file: resolve(text.replace(/^sqlite:(\/\/(?=\/))?/, '')) };
  if (/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text) && !isTornByPassword(new URL(text))) {
    const { username, host, pathname } = new URL(text);
    const user = username === '' ? '' : `${decodeURIComponent(username)}@`;
    return { kind: 'postgres', url, shown: `postgres://${user}${host}${pathname}` };
  }
  throw new PipelineError('config_invalid', 'REACHBACK_LEDGER_URL is not the address of a ledger.', {
    hint: 'Set it to postgres://user:password@host:5432/database or sqlite:/path/file.db, or unset it for a file in the workspace. Special characters of a password are percent-encoded.',
  });
}

/** A password with bare `@`, `/`, `?` or `#` splits the address in the wrong places, and its rest would be shown. */
function isTornByPassword({ pathname, search, hash }: URL): boolean {
  return hash !== '' || `${pathname}${search}`.includes('@') || pathname.lastIndexOf('/') > 0;
}
