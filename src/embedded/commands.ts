/** Short commands of other programs, with errors short enough for one line of a message. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The command is killed after this time. */
  readonly timeoutMs: number;
}

/**
 * Runs a command to its end.
 *
 * @returns its standard output
 * @throws Error whose message is the last line the command wrote to standard error, or why it could not run
 */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  try {
    const { stdout } = await run(command, args, {
      env: options.env,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 << 20,
    });
    return stdout;
  } catch (error) {
    throw new Error(shortReason(error as ExecError, command, options.timeoutMs), { cause: error });
  }
}

interface ExecError extends NodeJS.ErrnoException {
  readonly killed?: boolean;
  readonly stderr?: string;
}

function shortReason(error: ExecError, command: string, timeoutMs: number): string {
  if (error.killed === true) return `gave up after ${timeoutMs / 1000} s`;
  if (error.code === 'ENOENT') return `${command} was not found`;
  if (error.code === 'EACCES') return `${command} is not executable`;
  const lines = (error.stderr ?? '').split('\n').filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? error.message).trim().slice(0, 500);
}
