/** Commands that stay up and whose log other programs read. */
import type { Logger } from 'pino';
import type { CliContext } from './context.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { describeError } from './report-error.ts';
import { missingNamespace } from './temporal.ts';

/** With a JSON log every line on stderr is an object: remarks, and the last words of a command that fails. */
export async function withJsonLog(
  context: CliContext,
  log: Logger,
  work: (context: CliContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  const told = log.child({}, { level: 'info' });
  try {
    return await work({ ...context, remark: (text) => told.info(text) });
  } catch (caught) {
    const error = missingNamespace(caught) ?? caught;
    told.fatal(describeError(error, context.secrets));
    return exitCodeOf(error);
  }
}
