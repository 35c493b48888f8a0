/** Commands that stay up and whose log other programs read. */
import type { Logger } from 'pino';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { OutputFlags, WatchFlags } from './flags.ts';
import { describeError } from './report-error.ts';
import { missingNamespace } from './temporal.ts';

type LogFlags = OutputFlags & WatchFlags;

/** Whether other programs read what the command says. */
export function isJson({ json, logFormat }: LogFlags): boolean {
  return json === true || logFormat === 'json';
}

/** With a JSON log every line on stderr is an object: remarks, and the last words of a command that fails. */
export async function withLog(
  context: CliContext,
  flags: LogFlags,
  work: (context: CliContext, log: Logger) => Promise<ExitCode>,
): Promise<ExitCode> {
  const log = createLogger(flags.verbose, isJson(flags), context.remark);
  if (!isJson(flags)) return await work(context, log);
  const told = log.child({}, { level: 'info' });
  try {
    return await work({ ...context, remark: (text) => told.info(text) }, log);
  } catch (caught) {
    const error = missingNamespace(caught) ?? caught;
    told.fatal(describeError(error, context.secrets));
    return exitCodeOf(error);
  }
}
