/** A command that changes files of days itself, beside workers that may be at the same days. */
import type { ProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import { readEmbeddedInfo } from '../../storage/embedded-file.ts';
import { openWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { lockWorker, openClientSession } from './session.ts';

/** Does `work` while nobody else works at the day. @returns false when somebody does; nothing was done then */
export type Alone = (product: ProductSlug, day: Day, work: () => Promise<void>) => Promise<boolean>;

/** Whether workers that this workspace's lock does not keep out may be at its days. */
export async function isServed(context: CliContext, workspace: LocatedWorkspace): Promise<boolean> {
  return context.environment.externalTemporal || (await readEmbeddedInfo(workspace))?.shared === true;
}

/**
 * With a server that others may use, the engine keeps each day to one at a time, as it does among ranges; without one the lock
 * of the workspace's worker keeps out everybody.
 *
 * @throws PipelineError `config_invalid` naming the process that has the workspace for itself
 */
export async function beside(
  context: CliContext,
  given: { readonly workspace: string },
  work: (alone: Alone) => Promise<void>,
): Promise<void> {
  const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
  if (!(await isServed(context, workspace))) {
    const lock = await lockWorker(workspace, context.commandLine);
    try {
      await work(async (_product, _day, each) => {
        await each();
        return true;
      });
    } finally {
      lock.release();
    }
    return;
  }
  const session = await openClientSession(context.environment, workspace, createLogger(0, false, context.remark));
  try {
    await work(async (product, day, each) => {
      const giveBack = await session.client.holdDay(workspace.name, product, day);
      if (!giveBack) return false;
      try {
        await each();
      } finally {
        await giveBack();
      }
      return true;
    });
  } finally {
    await session.close();
  }
}
