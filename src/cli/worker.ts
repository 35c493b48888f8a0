import { join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { WORKER_ROLES } from '../core/backfill/roles.ts';
import type { WorkerRole } from '../core/backfill/roles.ts';
import { PipelineError } from '../core/errors.ts';
import { serveHealth } from '../health.ts';
import { ledgerAddress } from '../ledger/address.ts';
import { readEmbeddedInfo } from '../storage/embedded-file.ts';
import { createTurn } from '../storage/lock.ts';
import type { HeldLock, Turn } from '../storage/lock.ts';
import { openWorkspace } from '../storage/workspace.ts';
import type { Workspace } from '../storage/workspace.ts';
import { installRuntime } from '../runtime.ts';
import { startWorker } from '../worker.ts';
import type { RunningWorker, WorkerSettings } from '../worker.ts';
import { s3Settings } from './support/aws.ts';
import { openBuilderPlace } from './support/builder-place.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import * as flags from './support/flags.ts';
import { isJson, withLog } from './support/json-log.ts';
import { listenForInterrupts } from './support/interrupts.ts';
import type { Interrupts } from './support/interrupts.ts';
import { lockWorker, workerLock, workerSettings } from './support/session.ts';
import { findToken } from './support/token.ts';
import { connectExternal, connectLocal } from './support/temporal.ts';

type Flags = flags.PacingFlags &
  flags.OutputFlags &
  flags.WatchFlags & {
    readonly workspace: string;
    readonly role: WorkerRole;
    readonly builds: number;
    readonly staging?: string;
    readonly scratch?: string;
    readonly health?: string;
    readonly awsRegion?: string;
  };

/** `reachback worker`: just a worker for a server that is there. */
export function addWorkerCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('worker')
    .summary('run a worker against a server that is there')
    .description(
      'Run a worker of a workspace against an existing Temporal server: TEMPORAL_ADDRESS, or "reachback dev --no-worker"\n' +
        "of the same workspace. Token, paths and pacing are the worker's. SIGTERM hands its work over within 20 seconds.",
    )
    .option(
      '--workspace <dir>',
      'the workspace whose days it does; for a build worker on a host without the folder the s3://bucket/prefix of --staging',
      './data',
    )
    .addOption(
      new Option(
        '--role <role>',
        'all; or download (everything but builds, on hosts that see the folder) and build (builds alone, on any host), any number of both; the ledger is in PostgreSQL then',
      )
        .choices(WORKER_ROLES)
        .default('all'),
    )
    .option('--builds <n>', 'CDFs built at once', flags.positiveInteger, 1)
    .option(
      '--staging <uri>',
      's3://bucket/prefix where build workers on hosts without the folder get files from and leave products',
    )
    .option(
      '--scratch <dir>',
      "where a build worker without the folder works; a few GB for each of --builds (default: in the user's cache)",
    )
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
    end(await withLog(context, given, (heard, log) => serveWorkspace(heard, given, log)));
  });
}

async function serveWorkspace(context: CliContext, given: Flags, log: Logger): Promise<ExitCode> {
  const place = await openPlace(context, given);
  const interrupts = listenForInterrupts(() => context.remark('Stopping; work under way is handed over.'));
  try {
    await work(context, given, log, place, interrupts);
  } finally {
    interrupts.dispose();
    place.lock?.release();
  }
  return EXIT.ok;
}

/** Where a worker works, with what it must hold alone. */
interface Place {
  readonly workspace: Workspace;
  readonly staging: WorkerSettings['staging'];
  readonly lock: HeldLock | Turn | null;
}

async function openPlace(context: CliContext, given: Flags): Promise<Place> {
  const { environment, cwd, commandLine } = context;
  const { role, awsRegion = null } = given;
  const stagedAt = given.staging ?? environment.staging;
  if (given.workspace.startsWith('s3://')) {
    if (role !== 'build') throw noFolder(given.workspace, role);
    requireSharedLedger(context, role, given.workspace, '');
    const base =
      given.scratch === undefined ? join(environment.cacheHome, 'reachback/builds') : resolve(cwd, given.scratch);
    const place = await openBuilderPlace(given.workspace, base, s3Settings(environment, awsRegion), commandLine);
    return { ...place, staging: { uri: given.workspace, scratch: place.scratch } };
  }
  const workspace = await openWorkspace({ dir: given.workspace, cwd });
  const isStaged = stagedAt !== null && role !== 'build';
  if (isStaged || role !== 'all') requireSharedLedger(context, role, workspace.root, workspace.ledgerPath);
  // Before the lock: a run that begins meanwhile would find it taken by a worker that has nothing to do.
  if (!environment.externalTemporal && !(await readEmbeddedInfo(workspace))) throw noServer(workspace.root);
  const staged = isStaged ? { uri: stagedAt } : undefined;
  // The engine gives each stage of a day to one worker; of several that download, one at a time writes the telemetry.
  if (role === 'download') return { workspace, staging: staged, lock: createTurn(workerLock(workspace, commandLine)) };
  const lock = role === 'build' ? null : await lockWorker(workspace, commandLine);
  return { workspace, staging: staged, lock };
}

async function work(
  context: CliContext,
  given: Flags,
  log: Logger,
  { workspace, staging, lock }: Place,
  interrupts: Interrupts,
): Promise<void> {
  const { environment } = context;
  const { role, builds } = given;
  const awsRegion = given.awsRegion ?? null;
  const embedded = environment.externalTemporal ? null : await readEmbeddedInfo(workspace);
  if (!environment.externalTemporal && !embedded) throw noServer(workspace.root);
  const token = role === 'build' ? null : await findToken(context, awsRegion);
  installRuntime(log, given.metrics ?? environment.metrics);
  const connection = embedded ? await connectLocal(embedded.address) : await connectExternal(environment);
  const namespace = embedded ? 'default' : environment.temporalNamespace;
  const own = { builds, role, awsRegion, ...(staging && { staging }) };
  const parts = { environment, token, pacing: flags.pacingOf(given, environment), ...own };
  try {
    const turn = lock && 'isOurs' in lock ? { telemetryTurn: lock } : {};
    const settings = { ...workerSettings(workspace, namespace, parts, context.commandLine), ...turn };
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
      isJson(given)
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
            await connection.workflowService.getSystemInfo({});
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
function requireSharedLedger({ environment }: CliContext, role: WorkerRole, root: string, ledgerPath: string): void {
  if (ledgerAddress(environment.ledgerUrl, ledgerPath).kind === 'postgres') return;
  const what = role === 'all' ? '--staging' : `--role ${role}`;
  throw new PipelineError(
    'config_invalid',
    `${what} is for several workers on ${root}, whose ledger is a SQLite file with one writer.`,
    {
      hint: 'Set REACHBACK_LEDGER_URL=postgres://… for all workers of the workspace, or run one worker without --role (--builds N builds more at once).',
    },
  );
}

function noFolder(uri: string, role: WorkerRole): PipelineError {
  return new PipelineError('config_invalid', `${uri} is a staging, not a folder: --role ${role} needs the folder.`, {
    hint: `Name the folder as --workspace and the staging as --staging ${uri}; or take --role build.`,
  });
}

function noServer(root: string): PipelineError {
  return new PipelineError('config_invalid', `No Temporal server is named, and none runs for the workspace ${root}.`, {
    hint: `Set TEMPORAL_ADDRESS to host:port, or start one with: reachback dev --no-worker --workspace ${root}`,
  });
}
