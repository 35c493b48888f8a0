/** Exit codes (spec/cli.md §5), in one table. */
import { CommanderError } from 'commander';
import { isPipelineError } from '../../core/errors.ts';

export const EXIT = {
  ok: 0,
  /** At least one day failed, or an unexpected crash. */
  failed: 1,
  /** Usage or configuration; another holder is alive. */
  usage: 2,
  /** The source stopped the run; what is left was not attempted. */
  sourceAborted: 3,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Whether a run that ends so ends a command of several runs at once: the source or the operator stopped it. */
export function isStop(code: ExitCode): boolean {
  return ([EXIT.sourceAborted, EXIT.hungUp, EXIT.interrupted, EXIT.terminated] as readonly ExitCode[]).includes(code);
}

/** The exit code that an error ends a command with. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (isPipelineError(error)) {
    if (['config_invalid', 'path_owned', 'gate_held'].includes(error.kind)) return EXIT.usage;
    if (error.kind === 'source_aborted' || error.kind === 'auth_rejected') return EXIT.sourceAborted;
  }
  return EXIT.failed;
}
