/** The course of `zarr sync` and `zarr rebuild`: a session, the workflow, its result. */
import { WorkflowFailedError } from '@temporalio/client';
import { productSlug } from '../../core/product.ts';
import type { Product } from '../../core/product.ts';
import { ERROR_KINDS, PipelineError } from '../../core/errors.ts';
import type { ErrorKind } from '../../core/errors.ts';
import { checkRateConfig } from '../../core/rate/config.ts';
import type { ZarrResult, ZarrTarget } from '../../core/zarr.ts';
import { readEmbeddedInfo } from '../../storage/embedded-file.ts';
import { locateWorkspace, openWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { holdOtherRanges } from './engage.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { OutputFlags } from './flags.ts';
import { listenForInterrupts } from './interrupts.ts';
import { openClientSession, openOwnSession, requireWorkers } from './session.ts';
import type { Session } from './session.ts';

export interface ZarrCommand {
  readonly workspace: string;
  readonly product: Product;
  readonly target: ZarrTarget;
  readonly rebuild: boolean;
  readonly awsRegion: string | null;
  readonly output: OutputFlags;
}

export async function runZarr(context: CliContext, command: ZarrCommand): Promise<ExitCode> {
  const located = await locateWorkspace({ dir: command.workspace, cwd: context.cwd });
  if (located.name === null) {
    throw new PipelineError('config_invalid', `There is no workspace at ${located.root}.`, {
      hint: 'Name the workspace that has the products with --workspace.',
    });
  }
  const interrupts = listenForInterrupts(() => context.remark('Stopping; the days written by now are kept.'));
  const interrupted = new Promise<null>((resolve) => {
    interrupts.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  const session = await openSession(context, command, located, interrupts.signal);
  try {
    const code = interrupts.code();
    if (code !== null) return code;
    const product = productSlug(command.product);
    const { target, rebuild } = command;
    if (session.owned) await holdOtherRanges(session, located.name, '');
    const handle = await session.client.startZarr({ workspace: located.name, product, target, rebuild });
    const ended = handle.result().catch((error: unknown) => {
      throw error instanceof WorkflowFailedError ? syncFailed(target.store, error) : error;
    });
    const result = await Promise.race([ended, session.lost, interrupted]);
    ended.catch(() => undefined);
    if (result === null) return interrupts.code() ?? EXIT.interrupted;
    context.print(command.output.json === true ? JSON.stringify(result) : zarrLines(result).join('\n'));
    return result.refusedDays > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    await session.close();
    interrupts.dispose();
  }
}

async function openSession(
  context: CliContext,
  command: ZarrCommand,
  located: LocatedWorkspace,
  leave: AbortSignal,
): Promise<Session> {
  const { environment } = context;
  const log = createLogger(command.output.verbose, command.output.json === true, context.remark);
  const asClient = environment.externalTemporal || (await readEmbeddedInfo(located))?.shared === true;
  if (asClient) {
    const session = await openClientSession(environment, located, log);
    await requireWorkers(session, { ...located, name: located.name! }, leave);
    return session;
  }
  const workspace = await openWorkspace({ dir: command.workspace, cwd: context.cwd });
  const flags = { environment, token: null, pacing: checkRateConfig(), awsRegion: command.awsRegion };
  return await openOwnSession(workspace, flags, context.commandLine, log);
}

/** What a sync did, for people; the last line opens the store. */
export function zarrLines(result: ZarrResult): string[] {
  const { store, created, written, unchanged, refusedDays, refused, failure } = result;
  if (failure) {
    return [
      `zarr: ${store} was not synced: ${failure.message} (${failure.kind})`,
      ...(failure.hint === undefined ? [] : [`    → ${failure.hint}`]),
    ];
  }
  const more = refusedDays > refused.length ? [`  and ${refusedDays - refused.length} more refused days`] : [];
  const reasons = refused.map(({ day, differences }) => `  ${day} does not fit: ${differences.join('; ')}`);
  const counts = `written=${written} refused=${refusedDays}${unchanged > 0 ? ` already_there=${unchanged}` : ''}`;
  return [`zarr: ${store} ${created ? 'made' : 'synced'}: ${counts}`, ...reasons, ...more, `  ${openingLine(store)}`];
}

/** The line of Python that opens a store. */
export function openingLine(store: string): string {
  const place = store.startsWith('file://') ? decodeURIComponent(new URL(store).pathname) : store;
  return `python -c "import xarray; print(xarray.open_zarr('${place}'))"`;
}

function syncFailed(store: string, error: WorkflowFailedError): Error {
  let cause: unknown = error;
  // The failure that names one of our kinds; what lies below it is how it came about.
  while (cause instanceof Error && !isKind((cause as { type?: unknown }).type) && cause.cause instanceof Error) {
    cause = cause.cause;
  }
  const { message, type, details } = cause as { message: string; type?: unknown; details?: { hint?: string }[] };
  const hint = details?.[0]?.hint;
  return new PipelineError(isKind(type) ? type : 'invariant_broken', `${store} was not synced: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

function isKind(type: unknown): type is ErrorKind {
  return typeof type === 'string' && Object.hasOwn(ERROR_KINDS, type);
}
