import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { EXIT, exitCodeOf, isStop } from '../../../src/cli/support/exit-codes.ts';
import { describeError } from '../../../src/cli/support/report-error.ts';
import { ERROR_KINDS, PipelineError } from '../../../src/core/errors.ts';
import type { ErrorKind } from '../../../src/core/errors.ts';
import { Secret } from '../../../src/core/secret.ts';

const TOKEN = new Secret('Basic dXNlcjpzZWNyZXQtcGFzc3dvcmQ=');

describe('exit codes (CLI §5)', () => {
  const USAGE: readonly ErrorKind[] = ['config_invalid', 'path_owned', 'gate_held'];
  const SOURCE: readonly ErrorKind[] = ['source_aborted', 'auth_rejected'];

  test.for(Object.keys(ERROR_KINDS) as ErrorKind[])('%s', (kind) => {
    const expected = USAGE.includes(kind) ? 2 : SOURCE.includes(kind) ? 3 : 1;
    expect(exitCodeOf(new PipelineError(kind, 'm'))).toBe(expected);
  });

  test('help and version end well, wrong usage does not, whatever else is a crash', () => {
    expect(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', ''))).toBe(0);
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', ''))).toBe(2);
    expect(exitCodeOf(new Error('m'))).toBe(1);
    expect(exitCodeOf(undefined)).toBe(1);
  });

  test('CLI-9: the source and every interrupt end a command of several runs, such as repair; a failed or refused run does not', () => {
    expect(Object.values(EXIT).filter((code) => isStop(code))).toEqual([3, 129, 130, 143]);
  });

  test('the table', () => {
    expect(EXIT).toEqual({
      ok: 0,
      failed: 1,
      usage: 2,
      sourceAborted: 3,
      hungUp: 129,
      interrupted: 130,
      terminated: 143,
    });
  });
});

describe('errors as an operator reads them', () => {
  test('TRACK-D3: a ledger that looks damaged, after all tries: what SQLite says, and the check that tells', () => {
    const sqlite = Object.assign(new Error('file is not a database'), { code: 'SQLITE_NOTADB' });
    for (const error of [sqlite, new Error('reading failed', { cause: sqlite })]) {
      expect(describeError(error, [])).toMatch(
        /^reachback: The ledger cannot be read: file is not a database\.\n {2}→ "reachback ledger check"/,
      );
    }
    const busy = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    expect(describeError(busy, [])).toContain('unexpected Error: database is locked');
  });

  test('what happened, then what to do; no stack for what we foresaw', () => {
    const error = new PipelineError('config_invalid', 'No such day.', {
      hint: 'Use another.',
      cause: new Error('below'),
    });
    expect(describeError(error, [])).toBe('reachback: No such day.\n  → Use another.');
    expect(describeError(new PipelineError('disk_full', 'Full.'), [])).toBe('reachback: Full.');
  });

  test('the parser has spoken for itself', () => {
    expect(describeError(new CommanderError(1, 'commander.unknownOption', 'unknown'), [])).toBe('');
  });

  test('what we did not foresee comes with its stack', () => {
    const text = describeError(new Error('a bug'), []);
    expect(text).toMatch(/^reachback: unexpected Error: a bug\n\s+at /);
    expect(describeError('a text', [])).toBe('reachback: unexpected a text');
  });

  test.for([TOKEN.reveal(), TOKEN.reveal().slice(6), encodeURIComponent(TOKEN.reveal())])(
    'CLI-D1: the token is in no error text, however it got into the error (%#)',
    (leak) => {
      for (const error of [
        new Error(`the server said ${leak}`),
        new PipelineError('config_invalid', `refused: ${leak}`, { hint: `not ${leak}` }),
        leak,
      ]) {
        const text = describeError(error, [TOKEN]);
        expect(text).toContain('[secret]');
        expect(text).not.toContain('dXNlcjpzZWNyZXQ');
      }
    },
  );
});
