import { Option } from 'commander';
import type { Command } from 'commander';
import type { NativeConnection } from '@temporalio/worker';
import { WORKER_ROLES } from '../core/backfill/roles.ts';
import type { WorkerRole } from '../core/backfill/roles.ts';
import { PipelineError } from '../core/errors.ts';
import { serveHealth } from '../health.ts';
import { ledgerAddress } from '../ledger/address.ts';
import { readEmbeddedInfo } from '../storage/embedded-file.ts';
import { openWorkspace } from '../storage/workspace.ts';
import type { Workspace } from '../storage/workspace.ts';
import { installRuntime, startWorker } from '../worker.ts';
import type { RunningWorker } from '../worker.ts';
import { createLogger } from './support/context.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import * as flags from './support/flags.ts';
import { listenForInterrupts } from './support/interrupts.ts';
import type { Interrupts } from './support/interrupts.ts';
import { lockWorker, workerSettings } from './support/session.ts';
import { findToken } from './support/token.ts';
import { connectExternal, connectLocal } from './support/temporal.ts';

type Flags = flags.PacingFlags &
  flags.OutputFlags &
  flags.WatchFlags & {
    readonly workspace: string;
    readonly role: WorkerRole;
    readonly builds: number;
    readonly health?: string;
    readonly awsRegion?: string;
  };

/** A server that does not answer within this time is no server to work for. */
const SERVER_ANSWERS_MS = 3_000;

/** `reachback worker`: just a worker for a server that is there. */
export function addWorkerCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('worker')
    .summary('run a worker against a server that is there')
    .description(
      'Run a worker of a workspace against an existing Temporal server: TEMPORAL_ADDRESS, or "reachback dev --no-worker"\n' +
        "of the same workspace. Token, paths and pacing are the worker's. SIGTERM hands its work over within 20 seconds.",
    )
    .option('--workspace <dir>', 'the workspace whose days it does', './data')
    .addOption(
      new Option(
        '--role <role>',
        'all; or download (everything but builds, one for a workspace) and build (builds alone, any number, on any host with the folder and a ledger in PostgreSQL)',
      )
        .choices(WORKER_ROLES)
        .default('all'),
    )
    .option('--builds <n>', 'CDFs built at once', flags.positiveInteger, 1)
    .option(
      '--health <port>',
      'answer /healthz and /readyz on this port of 127.0.0.1, or on host:port',
      flags.listenAddress,
    );
  addAwsRegionFlag(command);
  flags.addPacingFlags(command);
  flags.addWatchFlags(command);
  flags.addOutputFlags(command);
  command.action(async (given: Flags) => {
    const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
    requireSharedLedger(context, given.role, workspace);
    // A builder writes no file that another worker writes: the engine gives each build to one of them.
    const lock = given.role === 'build' ? null : await lockWorker(workspace, context.commandLine);
    const interrupts = listenForInterrupts(() => context.remark('Stopping; work under way is handed over.'));
    try {
      await work(context, given, workspace, interrupts);
    } finally {
      interrupts.dispose();
      lock?.release();
    }
    end(EXIT.ok);
  });
}

async function work(context: CliContext, given: Flags, workspace: Workspace, interrupts: Interrupts): Promise<void> {
  const { environment } = context;
  const { role, builds } = given;
  const log = createLogger(given.verbose, given.json === true || given.logFormat === 'json', context.remark);
  const awsRegion = given.awsRegion ?? null;
  const embedded = environment.externalTemporal ? null : await readEmbeddedInfo(workspace);
  if (!environment.externalTemporal && !embedded) throw noServer(workspace.root);
  const token = role === 'build' ? null : await findToken(context, awsRegion);
  installRuntime(log, given.metrics ?? environment.metrics);
  const connection = embedded ? await connectLocal(embedded.address) : await connectExternal(environment);
  const namespace = embedded ? 'default' : environment.temporalNamespace;
  const parts = { environment, token, pacing: flags.pacingOf(given, environment), builds, role, awsRegion };
  try {
    const settings = workerSettings(workspace, namespace, parts, context.commandLine);
    const worker = await startWorker(connection, settings, log);
    interrupts.signal.addEventListener('abort', () => void worker.stop().catch(() => undefined));
    if (interrupts.signal.aborted) await worker.stop();
    const health = await serveHealthOf(worker, connection, given.health ?? environment.health);
    if (!token && role !== 'build') {
      context.remark(
        'Neither BASICAUTH nor SECRET_ARN_UDL is set: this worker builds and delivers, its downloads fail.',
      );
    }
    context.print(
      given.json === true
        ? JSON.stringify({ type: 'ready', workspace: workspace.name, role, health: health?.address ?? null })
        : `Worker of ${workspace.name} (${role}) is polling.`,
    );
    try {
      await worker.ended;
    } finally {
      await health?.close();
    }
  } finally {
    await connection.close();
  }
}

async function serveHealthOf(worker: RunningWorker, connection: NativeConnection, address: string | null) {
  if (address === null) return null;
  const [, host = '', port = ''] = /^(.+):(\d+)$/.exec(address) ?? [];
  try {
    return await serveHealth(
      { host, port: Number(port) },
      {
        worker: () => worker.fault(),
        async server() {
          try {
            const answersBy = Date.now() + SERVER_ANSWERS_MS;
            await connection.withDeadline(answersBy, () => connection.workflowService.getSystemInfo({}));
            return null;
          } catch (error) {
            return `the Temporal server does not answer: ${(error as Error).message}`;
          }
        },
      },
    );
  } catch (error) {
    await worker.stop();
    throw error;
  }
}

/** @throws PipelineError `config_invalid` when several workers would share a ledger that has one writer */
function requireSharedLedger({ environment }: CliContext, role: WorkerRole, { ledgerPath, root }: Workspace): void {
  if (role === 'all' || ledgerAddress(environment.ledgerUrl, ledgerPath).kind === 'postgres') return;
  throw new PipelineError(
    'config_invalid',
    `--role ${role} is for several workers on ${root}, whose ledger is a SQLite file with one writer.`,
    {
      hint: 'Set REACHBACK_LEDGER_URL=postgres://… for all workers of the workspace, or run one worker without --role (--builds N builds more at once).',
    },
  );
}

function noServer(root: string): PipelineError {
  return new PipelineError('config_invalid', `No Temporal server is named, and none runs for the workspace ${root}.`, {
    hint: `Set TEMPORAL_ADDRESS to host:port, or start one with: reachback dev --no-worker --workspace ${root}`,
  });
}
