/**
 * A session is what a command needs to talk to a workspace's ranges: a client, and in embedded mode the server and the
 * worker that this process keeps up. Ending it leaves nothing running that it started.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ReachbackClient } from '../../client.ts';
import type { Environment } from '../../config.ts';
import type { WorkerRole } from '../../core/backfill/roles.ts';
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { RateConfig } from '../../core/rate/config.ts';
import type { Secret } from '../../core/secret.ts';
import { startEmbedded } from '../../embedded/index.ts';
import { freeBytes } from '../../storage/disk-space.ts';
import { readEmbeddedInfo } from '../../storage/embedded-file.ts';
import type { EmbeddedInfo } from '../../storage/embedded-file.ts';
import { acquireLock, inspectLock } from '../../storage/lock.ts';
import type { HeldLock, LockOptions } from '../../storage/lock.ts';
import type { LocatedWorkspace, Workspace } from '../../storage/workspace.ts';
import { installRuntime } from '../../runtime.ts';
import { startWorker } from '../../worker.ts';
import type { WorkerSettings } from '../../worker.ts';
import { s3Settings } from './aws.ts';
import { connectExternal, connectLocal } from './temporal.ts';

export interface Session {
  readonly client: ReachbackClient;
  /** `host:port` of the server. */
  readonly address: string;
  /** Whether this process runs server and worker, so that they end with it. */
  readonly owned: boolean;
  /** Web UI of the embedded server; null when we do not know it. */
  readonly uiUrl: string | null;
  /** Whether the server knows our search attributes. */
  readonly searchAttributes: boolean;
  /** Rejects when server or worker broke for good; never resolves. */
  readonly lost: Promise<never>;
  /** Why a server of ours does not answer, when the disk tells; null when it does not. */
  readonly whySilent: () => Promise<PipelineError | null>;
  close(): Promise<void>;
}

/** Below this the embedded server's database cannot grow. */
const LEAST_FREE_BYTES = 2_000_000;

export interface WorkerFlags {
  readonly environment: Environment;
  readonly token: Secret | null;
  readonly pacing: RateConfig;
  readonly builds?: number;
  /** Default: all. */
  readonly role?: WorkerRole;
  /** `host:port` for Prometheus; null or absent for nowhere. */
  readonly metrics?: string | null;
  /** Of `--aws-region`. */
  readonly awsRegion: string | null;
  readonly staging?: WorkerSettings['staging'];
  /** What the command itself backfills; absent for one that serves whatever comes. */
  readonly product?: ProductSlug;
}

/** Ports of the embedded server, free ones by default, and whether other commands of the workspace may use it. */
interface Ports {
  readonly port?: number;
  readonly uiPort?: number;
  readonly shared?: boolean;
}

/** Server, worker and client in this process; the workspace's locks are held until `close`. */
export async function openOwnSession(
  workspace: Workspace,
  flags: WorkerFlags,
  commandLine: string,
  log: Logger,
  ports: Ports = {},
): Promise<Session> {
  const locks = [await lockServer(workspace, commandLine)];
  try {
    // Before the server can be found: a worker that another command starts for it would take this one's place.
    locks.push(await lockWorker(workspace, commandLine));
  } catch (error) {
    releaseAll(locks);
    throw error;
  }
  const server = await keepServer(workspace, flags.environment, locks, ports);
  try {
    installRuntime(log, flags.metrics);
    const connection = await connectLocal(server.address);
    const settings = workerSettings(workspace, 'default', flags, commandLine);
    const worker = await startWorker(connection, settings, log).catch(async (error: unknown) => {
      // An open connection would keep the process alive.
      await connection.close();
      throw error;
    });
    const broken = worker.ended.then(() => new Promise<never>(() => undefined));
    return {
      ...server,
      client: new ReachbackClient(connection, 'default'),
      lost: Promise.race([server.lost, broken]),
      async close() {
        await worker.stop().catch((error: unknown) => log.warn({ error: String(error) }, 'the worker stopped badly'));
        await connection.close();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The embedded server alone. */
export async function openServerSession(
  workspace: Workspace,
  environment: Environment,
  commandLine: string,
  ports: Ports,
): Promise<Omit<Session, 'client'>> {
  return await keepServer(workspace, environment, [await lockServer(workspace, commandLine)], ports);
}

/** Takes the right to keep the workspace's server up. */
async function lockServer(workspace: Workspace, command: string): Promise<HeldLock> {
  const { lockPath: path, root, embeddedFile } = workspace;
  try {
    return await acquireLock({ path, subject: `The workspace ${root}`, command, tells: [embeddedFile] });
  } catch (error) {
    if (!isPipelineError(error) || !inspectLock(path).held) throw error;
    const hint = hintBesideServer(await readEmbeddedInfo(workspace));
    throw hint === null ? error : new PipelineError(error.kind, error.message, { hint, context: error.context });
  }
}

/** What to do beside a holder whose server is not to be found yet or any more, or can be used by now; null: wait for its end. */
function hintBesideServer(info: EmbeddedInfo | null): string | null {
  if (info === null) {
    return 'It is about to start or to stop its server: repeat the command in some seconds. A "reachback dev" that is up takes this command.';
  }
  return info.shared ? 'It has just started and takes commands by now: repeat this one.' : null;
}

function releaseAll(locks: readonly HeldLock[]): void {
  for (const lock of locks.toReversed()) lock.release();
}

/** @param locks - what the caller holds, the workspace's among them; given back when the server is gone, or does not start */
async function keepServer(
  workspace: Workspace,
  environment: Environment,
  locks: readonly HeldLock[],
  ports: Ports,
): Promise<Omit<Session, 'client'>> {
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise<never>((_resolve, reject) => {
    lose = reject;
  });
  lost.catch(() => undefined);
  try {
    const server = await startEmbedded(workspace, {
      environment: environment.variables,
      ...ports,
      onLost: (reason) => lose(serverLost(reason, workspace)),
    });
    const { address, uiUrl } = server;
    return {
      address,
      uiUrl,
      owned: true,
      searchAttributes: true,
      lost,
      whySilent: () => fullDisk(workspace),
      async close() {
        await server.stop();
        releaseAll(locks);
      },
    };
  } catch (error) {
    releaseAll(locks);
    throw error;
  }
}

/** The server's database stands in the state folder; on a full disk it stops answering without a word. */
async function fullDisk({ stateDir }: Workspace): Promise<PipelineError | null> {
  const free = await freeBytes(stateDir);
  if (free >= LEAST_FREE_BYTES) return null;
  return new PipelineError(
    'disk_full',
    `The disk of ${stateDir} is full (${free} bytes free): the server cannot work.`,
    {
      hint: 'Free some space and repeat the command; it goes on where it was.',
    },
  );
}

function serverLost(reason: string, { root, logs }: Workspace): PipelineError {
  return new PipelineError('storage_unavailable', `The embedded Temporal server was lost: ${reason}.`, {
    hint: `Its log is in ${logs}. The same command goes on where it was (workspace ${root}).`,
  });
}

/** Takes the right to be the workspace's worker, and with it the only writer of its files. */
export async function lockWorker(workspace: Workspace, commandLine: string): Promise<HeldLock> {
  return await acquireLock(workerLock(workspace, commandLine));
}

export function workerLock({ workerLockPath: path, root }: Workspace, command: string): LockOptions {
  return { path, subject: `The worker of the workspace ${root}`, command };
}

/** A client of a server that somebody else keeps up: the operator's, or the workspace's own started by `dev` or `run`. */
export async function openClientSession(
  environment: Environment,
  workspace: LocatedWorkspace,
  log: Logger,
): Promise<Session> {
  const embedded = environment.externalTemporal ? null : await readEmbeddedInfo(workspace);
  if (!environment.externalTemporal && !embedded) {
    throw new PipelineError('config_invalid', `Nothing runs for the workspace ${workspace.root}.`, {
      hint: `Start it with "reachback run …" or "reachback dev --workspace ${workspace.root}", or set TEMPORAL_ADDRESS for a server of your own.`,
    });
  }
  installRuntime(log);
  const connection = embedded ? await connectLocal(embedded.address) : await connectExternal(environment);
  const namespace = embedded ? 'default' : environment.temporalNamespace;
  const client = new ReachbackClient(connection, namespace);
  return {
    client,
    address: embedded?.address ?? environment.variables['TEMPORAL_ADDRESS'] ?? '',
    owned: false,
    uiUrl: embedded?.uiUrl ?? null,
    searchAttributes: await client.hasSearchAttributes(),
    lost: new Promise<never>(() => undefined),
    whySilent: () => Promise.resolve(null),
    close: () => connection.close(),
  };
}

export function workerSettings(workspace: Workspace, namespace: string, flags: WorkerFlags, commandLine: string) {
  const { environment, token, pacing, builds = 1, role = 'all', awsRegion } = flags;
  const { ledgerUrl, udlBaseUrl, requestTimeoutMs, threads, stateHome, slackWebhook } = environment;
  const own = { role, token, pacing, builds, s3: s3Settings(environment, awsRegion), stateHome, commandLine };
  const notices = { slackWebhook, commandOfProduct: flags.product ?? null };
  const staging = flags.staging && { staging: flags.staging };
  return { workspace, namespace, ledgerUrl, udlBaseUrl, requestTimeoutMs, threads, ...own, ...notices, ...staging };
}

/** A worker that starts together with its server polls some seconds after it. */
const WORKERS_WITHIN = { looks: 20, everyMs: 250 };

/**
 * Refuses to start work that nobody would do.
 *
 * @param leave - the operator does not want to wait any more: returns, whatever was seen
 * @throws PipelineError `config_invalid` with the command that helps
 */
export async function requireWorkers(
  session: Pick<Session, 'client'>,
  workspace: Workspace | (LocatedWorkspace & { name: string }),
  leave: AbortSignal,
  { looks, everyMs } = WORKERS_WITHIN,
): Promise<void> {
  let missing: string[] = [];
  for (let look = 1; look <= looks; look += 1) {
    const polling = await session.client.workersPolling(workspace.name);
    missing = Object.entries(polling).flatMap(([queue, polls]) => (polls ? [] : [queue]));
    if (missing.length === 0 || leave.aborted) return;
    if (look < looks) await sleep(everyMs, undefined, { signal: leave }).catch(() => undefined);
  }
  throw new PipelineError(
    'config_invalid',
    `No worker polls for the workspace ${workspace.name} (missing: ${missing.join(', ')}).`,
    { hint: `Start one on the machine that holds the files: reachback worker --workspace ${workspace.root}` },
  );
}
