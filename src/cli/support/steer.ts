/** What the steering commands share: find the workspace's server and the range that is meant. */
import type { Command } from 'commander';
import { PipelineError } from '../../core/errors.ts';
import type { RangeHandle } from '../../client.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { openClientSession } from './session.ts';
import type { Session } from './session.ts';

export interface SteerFlags {
  readonly workspace: string;
}

export function addSteerFlags(command: Command): Command {
  return command
    .argument('[range]', 'workflow id of the range; not needed while only one is open')
    .option('--workspace <dir>', 'the workspace (or the --output-dir) of the run', './data');
}

/** Runs `act` on the range that is meant, then lets go of the server. */
export async function onRange<T>(
  context: CliContext,
  flags: SteerFlags,
  workflowId: string | undefined,
  act: (session: Session, handle: RangeHandle, workspace: LocatedWorkspace) => Promise<T>,
): Promise<T> {
  const located = await locateWorkspace({ dir: flags.workspace, cwd: context.cwd });
  const session = await openClientSession(context.environment, located, createLogger(0, false, context.remark));
  try {
    return await act(session, session.client.range(workflowId ?? (await onlyRange(session, located))), located);
  } finally {
    await session.close();
  }
}

async function onlyRange(session: Session, { name, root }: LocatedWorkspace): Promise<string> {
  const open = name === null ? [] : await session.client.openRanges(name);
  const [only, ...others] = open;
  if (only && others.length === 0) return only.workflowId;
  if (!only) {
    throw new PipelineError('config_invalid', `No range is open in the workspace ${root}.`, {
      hint: 'Start one with "reachback run"; "reachback status" shows what earlier runs left.',
    });
  }
  throw new PipelineError('config_invalid', `${open.length} ranges are open in the workspace ${root}.`, {
    hint: `Name one of them: ${open.map(({ workflowId }) => workflowId).join('  ')}`,
  });
}
