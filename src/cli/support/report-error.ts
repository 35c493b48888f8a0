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
  if (error instanceof Error) return `reachback: unexpected ${error.stack ?? error.message}`;
  return `reachback: unexpected ${String(error)}`;
}
