import type { Command } from 'commander';
import type { Logger } from 'pino';
import { openWorkspace } from '../storage/workspace.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import * as flags from './support/flags.ts';
import { isJson, withLog } from './support/json-log.ts';
import { listenForInterrupts } from './support/interrupts.ts';
import { openOwnSession, openServerSession } from './support/session.ts';
import { findToken } from './support/token.ts';

type Flags = flags.PacingFlags &
  flags.OutputFlags &
  flags.WatchFlags & {
    readonly workspace: string;
    readonly worker: boolean;
    readonly port?: number;
    readonly uiPort?: number;
    readonly awsRegion?: string;
  };

/** `reachback dev`: Temporal server, web UI and worker of a workspace, until Ctrl-C. */
export function addDevCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('dev')
    .summary('keep a server, its web UI and a worker up for a workspace')
    .description(
      'Keep the Temporal server, its web UI and a worker up for a workspace. While it runs, "reachback run" with the same\n' +
        'workspace uses it and may be left and attached again.',
    )
    .option('--workspace <dir>', 'the workspace', './data')
    .option('--no-worker', 'server and web UI only; start "reachback worker" beside it')
    .option('--port <n>', 'port of the server (default: a free one)', flags.portNumber)
    .option('--ui-port <n>', 'port of the web UI (default: a free one)', flags.portNumber);
  addAwsRegionFlag(command);
  flags.addPacingFlags(command);
  flags.addWatchFlags(command);
  flags.addOutputFlags(command);
  command.action(async (given: Flags) => {
    end(await withLog(context, given, (heard, log) => keepUp(heard, given, log)));
  });
}

async function keepUp(context: CliContext, given: Flags, log: Logger): Promise<ExitCode> {
  const { environment } = context;
  const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
  const ports = {
    shared: true,
    ...(given.port === undefined ? {} : { port: given.port }),
    ...(given.uiPort === undefined ? {} : { uiPort: given.uiPort }),
  };
  const awsRegion = given.awsRegion ?? null;
  const token = given.worker ? await findToken(context, awsRegion) : null;
  const interrupts = listenForInterrupts(() => context.remark('Stopping.'));
  const metrics = given.metrics ?? environment.metrics;
  const worker = { environment, token, awsRegion, metrics, pacing: flags.pacingOf(given, environment) };
  const session = given.worker
    ? await openOwnSession(workspace, worker, context.commandLine, log, ports)
    : await openServerSession(workspace, environment, context.commandLine, ports);
  try {
    const { address, uiUrl } = session;
    if (isJson(given)) context.print(JSON.stringify({ type: 'ready', address, uiUrl, workspace: workspace.name }));
    else {
      context.print(`Temporal server ${address}, web UI ${uiUrl}, workspace ${workspace.name}`);
      if (given.worker && !token) {
        context.remark('Neither BASICAUTH nor SECRET_ARN_UDL is set: this worker cannot download.');
      }
      if (!given.worker)
        context.print(`Worker: TEMPORAL_ADDRESS=${address} reachback worker --workspace ${workspace.root}`);
      context.print('Ctrl-C stops it.');
    }
    await Promise.race([session.lost, interrupts.came()]);
  } finally {
    await session.close();
    interrupts.dispose();
  }
  return EXIT.ok;
}
