import type { Command } from 'commander';
import { readEmbeddedInfo } from '../storage/embedded-file.ts';
import { openWorkspace } from '../storage/workspace.ts';
import { PipelineError } from '../core/errors.ts';
import { installRuntime, startWorker } from '../worker.ts';
import { createLogger } from './support/context.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import * as flags from './support/flags.ts';
import { listenForInterrupts } from './support/interrupts.ts';
import { lockWorker, workerSettings } from './support/session.ts';
import { findToken } from './support/token.ts';
import { connectExternal, connectLocal } from './support/temporal.ts';

type Flags = flags.PacingFlags &
  flags.OutputFlags & { readonly workspace: string; readonly builds: number; readonly awsRegion?: string };

/** `reachback worker`: just a worker for a server that is there. */
export function addWorkerCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('worker')
    .description(
      'Run a worker of a workspace against an existing Temporal server: TEMPORAL_ADDRESS, or "reachback dev --no-worker"\n' +
        "of the same workspace. Token, paths and pacing are the worker's. SIGTERM hands its work over within 20 seconds.",
    )
    .option('--workspace <dir>', 'the workspace whose days it does', './data')
    .option('--builds <n>', 'CDFs built at once', flags.positiveInteger, 1);
  addAwsRegionFlag(command);
  flags.addPacingFlags(command);
  flags.addOutputFlags(command);
  command.action(async (given: Flags) => {
    const { environment } = context;
    const awsRegion = given.awsRegion ?? null;
    const log = createLogger(given.verbose, given.json === true, context.remark);
    const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
    const lock = await lockWorker(workspace, context.commandLine);
    const interrupts = listenForInterrupts(() => context.remark('Stopping; work under way is handed over.'));
    try {
      const embedded = environment.externalTemporal ? null : await readEmbeddedInfo(workspace);
      if (!environment.externalTemporal && !embedded) throw noServer(workspace.root);
      const token = await findToken(context, awsRegion);
      installRuntime(log);
      const connection = embedded ? await connectLocal(embedded.address) : await connectExternal(environment);
      const namespace = embedded ? 'default' : environment.temporalNamespace;
      const pacing = flags.pacingOf(given, environment);
      const parts = { environment, token, pacing, builds: given.builds, awsRegion };
      const settings = workerSettings(workspace, namespace, parts, context.commandLine);
      const worker = await startWorker(connection, settings, log);
      if (!token) {
        context.remark(
          'Neither BASICAUTH nor SECRET_ARN_UDL is set: this worker builds and delivers, its downloads fail.',
        );
      }
      context.print(
        given.json === true
          ? JSON.stringify({ type: 'ready', workspace: workspace.name })
          : `Worker of ${workspace.name} is polling.`,
      );
      interrupts.signal.addEventListener('abort', () => void worker.stop().catch(() => undefined));
      try {
        await worker.ended;
      } finally {
        await connection.close();
      }
    } finally {
      interrupts.dispose();
      lock.release();
    }
    end(EXIT.ok);
  });
}

function noServer(root: string): PipelineError {
  return new PipelineError('config_invalid', `No Temporal server is named, and none runs for the workspace ${root}.`, {
    hint: `Set TEMPORAL_ADDRESS to host:port, or start one with: reachback dev --no-worker --workspace ${root}`,
  });
}
