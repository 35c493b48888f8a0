/**
 * The composition root: builds the adapters, hands them to the activities and polls the workspace's task queues.
 * Runnable by itself as `node src/worker.ts …` (= `reachback worker`), and started in-process by the embedded mode.
 */
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Runtime, Worker } from '@temporalio/worker';
import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from './activities/index.ts';
import { openZarrStore } from './activities/zarr/index.ts';
import type { ActivityDependencies, BuilderStaging, HomeStaging } from './activities/dependencies.ts';
import { queuesOf } from './core/backfill/roles.ts';
import type { WorkerRole } from './core/backfill/roles.ts';
import type { ProductSlug } from './core/product.ts';
import type { RateConfig } from './core/rate/config.ts';
import type { Secret } from './core/secret.ts';
import { DAY_MS, dayOfMs } from './core/time/day.ts';
import { VERSION } from './core/version.ts';
import { loadWorkflowBundle } from './embedded/workflow-bundle.ts';
import { createGate, createMachineStore, openToHosts } from './gate/index.ts';
import type { Gate } from './gate/index.ts';
import type { Alert } from './core/report/alert-text.ts';
import type { AlertStore } from './ledger/alerts.ts';
import { ledgerAddress } from './ledger/address.ts';
import { openLedger } from './ledger/index.ts';
import type { TelemetryExporter } from './ledger/telemetry-csv.ts';
import { measureActivities, measureGate, showGate } from './metrics.ts';
import { createNotifier } from './notify/notifier.ts';
import type { Notifier } from './notify/notifier.ts';
import { createUdlSource } from './sources/udl/index.ts';
import { removeLeftovers } from './storage/atomic-file.ts';
import { parseDestination } from './storage/destination.ts';
import type { Destination } from './storage/destination.ts';
import type { S3Settings } from './storage/s3/settings.ts';
import type { Turn } from './storage/lock.ts';
import { Staging } from './storage/staging.ts';
import type { Workspace } from './storage/workspace.ts';

export interface WorkerSettings {
  readonly workspace: Workspace;
  /** Which of the workspace's task queues it polls. */
  readonly role: WorkerRole;
  readonly namespace: string;
  readonly udlBaseUrl: string;
  /** Where the ledger is; null for a file in the workspace. */
  readonly ledgerUrl: Secret | null;
  /** Null for a worker that only builds and delivers. */
  readonly token: Secret | null;
  readonly pacing: RateConfig;
  /** Where the gate of this machine is kept. */
  readonly stateHome: string;
  /** What runs, as typed: others who want the gate are told. */
  readonly commandLine: string;
  readonly requestTimeoutMs: number;
  /** Threads that fetch and scan. */
  readonly threads: number;
  /** Builds at once. */
  readonly builds: number;
  readonly s3: S3Settings;
  /** `s3://bucket/prefix` where files pass between hosts that share no folder; absent where all see the folder. */
  readonly staging?: {
    readonly uri: string;
    /** Of a builder without the folder: for days under way. */ readonly scratch?: string;
  };
  /** Whose turn it is to write the telemetry CSV, where several workers download; absent for a worker that alone may. */
  readonly telemetryTurn?: Turn;
  /** Where operators are told of failures; null for nowhere. */
  readonly slackWebhook: Secret | null;
  /** The product that `commandLine` backfills; null for a worker that does whatever comes. */
  readonly commandOfProduct: ProductSlug | null;
}

export interface RunningWorker {
  /** Null while all queues are polled, otherwise what is not, in a sentence. */
  fault(): string | null;
  /** Settles when the worker has ended; rejects when it broke. */
  readonly ended: Promise<void>;
  /** Stops polling, lets activities put down their work, closes the ledger. Idempotent. */
  stop(): Promise<void>;
}

/** Activities put down their work within this time after a stop was asked for, or are cut off. */
const STOP_FORCE_TIME = '20s';
/** Fresh heartbeats for people who watch; the SDK would hold them back for up to 80 % of the timeout. */
const HEARTBEAT_EVERY = '1s';
/** How long workflow tasks wait for a worker that knows the run before any other may take it: matters after a kill. */
const STICKY_TIMEOUT = '2s';

/**
 * How far a heap may grow between two looks at the whole of it, in per cent. By V8's own measure the fetching threads, whose heaps
 * are small and whose answers pass beside them, were looked at after every 17 MB of answers: a tenth of all work.
 */
const HEAP_GROWING_PERCENT = 300;

/**
 * Starts the workers of a workspace; the caller holds the workspace's lock and owns the connection. When it throws, nothing
 * stays open: what does would keep the process alive, which nobody starts again then.
 */
export async function startWorker(
  connection: NativeConnection,
  settings: WorkerSettings,
  log: Logger,
): Promise<RunningWorker> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const opened: Closer[] = [];
  try {
    const deps = await openResources(settings, log, opened);
    return runAll(await createWorkers(connection, settings, deps), () => closeAll(opened));
  } catch (error) {
    await closeAll(opened).catch((also: unknown) => log.warn({ error: String(also) }, 'not all was closed'));
    throw error;
  }
}

async function createWorkers(
  connection: NativeConnection,
  { workspace, namespace, role, builds }: WorkerSettings,
  deps: ActivityDependencies,
): Promise<Worker[]> {
  const activities = measureActivities(createActivities(deps), Runtime.instance().metricMeter);
  const queues = queuesOf(workspace.name, role);
  const common = {
    connection,
    namespace,
    activities,
    identity: `${role}/${process.pid}@${hostname()}`,
    // Names who did what in histories and in the web UI; tasks are not routed by it, so that versions may be mixed.
    workerDeploymentOptions: {
      version: { deploymentName: `reachback-${workspace.name}`, buildId: VERSION },
      useWorkerVersioning: false,
    },
    shutdownGraceTime: '1s',
    shutdownForceTime: STOP_FORCE_TIME,
    maxHeartbeatThrottleInterval: HEARTBEAT_EVERY,
    defaultHeartbeatThrottleInterval: HEARTBEAT_EVERY,
  } as const;
  const workers: Worker[] = [];
  const create = async (taskQueue: string | undefined, own: Partial<WorkerOptions>): Promise<void> => {
    if (taskQueue !== undefined) workers.push(await Worker.create({ ...common, taskQueue, ...own }));
  };
  try {
    // Workflows last: of a worker with workflows that the server refuses the SDK leaves a thread behind.
    await create(queues.download, { maxConcurrentActivityTaskExecutions: 64 });
    await create(queues.build, { maxConcurrentActivityTaskExecutions: builds });
    await create(queues.main, {
      ...(queues.main !== undefined && { workflowBundle: await loadWorkflowBundle() }),
      stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
      maxConcurrentActivityTaskExecutions: 16,
    });
  } catch (error) {
    // The connection cannot be closed below a worker, and a worker ends only by running.
    await Promise.allSettled(workers.map((worker) => worker.runUntil(Promise.resolve())));
    throw error;
  }
  return workers;
}

function runAll(workers: readonly Worker[], close: () => Promise<void>): RunningWorker {
  // When one worker ends, for whatever reason, the others must not go on alone.
  const runs = workers.map((worker) =>
    worker.run().finally(() => {
      for (const other of workers) if (other.getState() === 'RUNNING') other.shutdown();
    }),
  );
  const ended = (async () => {
    const results = await Promise.allSettled(runs);
    await close();
    const broken = results.find((result) => result.status === 'rejected');
    if (broken) throw broken.reason;
  })();
  ended.catch(() => undefined);
  return {
    ended,
    fault() {
      const idle = workers.find((worker) => worker.getState() !== 'RUNNING');
      return idle ? `the worker of ${idle.options.taskQueue} is ${idle.getState()}` : null;
    },
    async stop() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}

type Closer = () => Promise<void> | void;

/** The latest first; each, whatever becomes of the others. Idempotent. @throws the first error */
async function closeAll(opened: Closer[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of opened.splice(0).toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** @param opened - takes up how to close what was opened, also when this throws */
async function openResources(settings: WorkerSettings, log: Logger, opened: Closer[]): Promise<ActivityDependencies> {
  const { workspace, role } = settings;
  const staging = await openStaging(settings);
  if (staging) opened.push(() => staging.area.close());
  if (role !== 'build') {
    // What others may be writing is no leftover yet.
    const olderThanMs = role === 'download' ? DAY_MS : 0;
    await Promise.all([workspace.downloads, workspace.products].map((folder) => removeLeftovers(folder, olderThanMs)));
  }
  const { ledger, telemetry: exporter } = await openLedger({
    workspace,
    url: settings.ledgerUrl,
    onNotice: (notice) => log.warn(notice),
  });
  opened.push(() => ledger.close());
  const notifier = openNotifier(settings, ledger, log);
  opened.push(() => notifier?.close());
  const telemetry = telemetryOf(settings, exporter);
  // A telemetry file that cannot be carried on is refused before any work.
  await telemetry.flush();
  opened.push(() => telemetry.flush());
  const { udlBaseUrl: baseUrl, token, threads, requestTimeoutMs } = settings;
  const meter = Runtime.instance().metricMeter;
  const gate = measureGate(token ? gateOf(settings, token, log) : createGate({ config: settings.pacing }), meter);
  opened.push(() => gate.close());
  const destinations = rememberDestinations(settings.s3);
  opened.push(() => destinations.close());
  const source = token === null ? null : createUdlSource({ baseUrl, token, threads, requestTimeoutMs });
  opened.push(() => source?.close());
  if (source) opened.push(showGate(gate, meter));
  const today = (): string => dayOfMs(Date.now());
  return {
    ...(staging && { staging }),
    ...(notifier && { notifier }),
    workspace,
    ledger,
    telemetry,
    gate,
    source,
    planning: { ledger, folders: workspace, today, log },
    destinationAt: (uri) => destinations.at(uri),
    zarrStoreAt: (uri) => openZarrStore(uri, settings.s3),
    log,
    today,
  };
}

/** The file has one writer at a time, the holder of the workspace's lock; it writes what others noted with its own next row. */
function telemetryOf({ role, telemetryTurn }: WorkerSettings, exporter: TelemetryExporter): TelemetryExporter {
  if (role === 'build') return { flush: () => Promise.resolve() };
  if (!telemetryTurn) return exporter;
  return {
    async flush() {
      if (await telemetryTurn.isOurs()) await exporter.flush();
    },
  };
}

/** @throws PipelineError `config_invalid` when the place is another workspace's */
async function openStaging({ staging, s3, workspace }: WorkerSettings): Promise<HomeStaging | BuilderStaging | null> {
  if (staging === undefined) return null;
  const area = new Staging(staging.uri, s3);
  if (staging.scratch !== undefined) return { side: 'builder', area, scratch: staging.scratch };
  try {
    await area.claim(workspace.name);
  } catch (error) {
    area.close();
    throw error;
  }
  return { side: 'home', area };
}

/** One destination per address, so that its connections and credentials last from day to day. */
function rememberDestinations(s3: S3Settings): { at(uri: string): Destination; close(): void } {
  const known = new Map<string, Destination>();
  return {
    at(uri) {
      const destination = known.get(uri) ?? parseDestination(uri, s3);
      known.set(uri, destination);
      return destination;
    },
    close() {
      for (const destination of known.values()) destination.close();
    },
  };
}

function openNotifier(settings: WorkerSettings, store: AlertStore, log: Logger): Notifier | null {
  const { slackWebhook: webhook, token, ledgerUrl } = settings;
  if (webhook === null) {
    // Of a builder's failures the worker tells that closes the day.
    if (settings.role !== 'build') log.warn('SLACK_WEBHOOK_URL is not set: nobody is told of failures');
    return null;
  }
  const secrets = [token, ledgerUrl].filter((secret) => secret !== null);
  return createNotifier({ store, webhook, secrets, command: (alert) => commandAfter(alert, settings), log });
}

/** What the operator runs once the cause of an alert is gone. */
function commandAfter({ product, phase }: Alert, { commandLine, commandOfProduct, workspace }: WorkerSettings): string {
  if (product !== commandOfProduct) {
    return `reachback ${phase === 'stop' ? 'resume' : 'retry-failed'} --workspace ${workspace.root}`;
  }
  const retries = phase === 'stop' || commandLine.includes('--retry-failed');
  return retries ? commandLine : `${commandLine} --retry-failed`;
}

/** With a ledger in a database hosts share the gate there; else it is this machine's. */
function gateOf(
  { stateHome, commandLine, workspace, udlBaseUrl, pacing, ledgerUrl }: WorkerSettings,
  credential: Secret,
  log: Logger,
): Gate {
  const machine = {
    stateHome,
    origin: new URL(udlBaseUrl).origin,
    credential,
    command: commandLine,
    workspace: workspace.root,
    initialRate: pacing.initialRate,
    pointer: workspace.gateFile,
    onNotice: (notice: string) => log.warn(notice),
  };
  const ledger = ledgerAddress(ledgerUrl, workspace.ledgerPath);
  if (ledger.kind === 'postgres') return openToHosts(ledger, machine, pacing);
  return createGate({ config: pacing, store: createMachineStore(machine) });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { runCli } = await import('./cli/main.ts');
  process.exitCode = await runCli(['worker', ...process.argv.slice(2)]);
}
