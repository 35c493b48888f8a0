import { CommanderError } from 'commander';
import { isPipelineError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

/**
 * An error as an operator should read it: what happened, then what to do. Stack traces only for what we did not foresee.
 *
 * @param secrets - never part of the text, whatever the error says
 */
export function describeError(error: unknown, secrets: readonly Secret[]): string {
  return secrets.reduce((text, secret) => secret.redact(text), wordsOf(error));
}

function wordsOf(error: unknown): string {
  if (error instanceof CommanderError) return '';
  if (isPipelineError(error)) return `reachback: ${error.message}${error.hint ? `\n  → ${error.hint}` : ''}`;
  const damage = ledgerDamageIn(error);
  // TRACK-D3: what was retried in vain may be damage, not trouble that passes.
  if (damage !== null) {
    return `reachback: The ledger cannot be read: ${damage}.\n  → "reachback ledger check" tells whether it is damaged; on a network file system check a copy.`;
  }
  if (error instanceof Error) return `reachback: unexpected ${error.stack ?? error.message}`;
  return `reachback: unexpected ${String(error)}`;
}

/** What SQLite says of a file that is damaged, or looks so; null for any other error. */
export function ledgerDamageIn(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(code)) return error.message;
  return ledgerDamageIn(error.cause);
}
