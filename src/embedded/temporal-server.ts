/** A Temporal development server that lives as long as we do: started, kept alive, stopped (design §7). */
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { SEARCH_ATTRIBUTES } from '../core/search-attributes.ts';
import { markMaking, markWhole } from './database.ts';
import { NAMESPACE, prepareServer } from './namespace.ts';
import { freePorts, isPortFree } from './ports.ts';
import { supervise } from './supervisor.ts';
import type { Supervised } from './supervisor.ts';

export interface TemporalServerOptions {
  /** The `temporal` binary. */
  readonly binary: string;
  /** SQLite file; made when missing. */
  readonly databasePath: string;
  /** The server's output is appended here. */
  readonly logPath: string;
  /** gRPC and web UI; a free one each when not given. */
  readonly port?: number | undefined;
  readonly uiPort?: number | undefined;
  /** The server died and runs again at the same address. */
  readonly onRestart?: ((reason: string) => void) | undefined;
  /** The server died and will not come back: the caller must end. Called at most once. */
  readonly onLost?: ((reason: string) => void) | undefined;
}

export interface EmbeddedServer {
  /** `127.0.0.1:port` of the gRPC interface; stays the same over restarts. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string;
  /** Process id of the server as it is now. */
  readonly pid: number;
  /** Ends the server and waits until it is gone: at most about ten seconds. Idempotent. */
  stop(): Promise<void>;
}

interface Ports {
  readonly grpc: number;
  readonly ui: number;
  readonly metrics: number;
}

const START_TRIES = 5;
const READY_TIMEOUT_MS = 60_000;
const MAX_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
const MAX_LOG_BYTES = 20_000_000;
const LOG_TAIL_BYTES = 2_000;

/**
 * Starts the server and waits until it is ready for work.
 *
 * @throws PipelineError `config_invalid` when a given port is taken, or the server does not start; with the end of its log
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<EmbeddedServer> {
  await mkdir(dirname(options.databasePath), { recursive: true });
  await mkdir(dirname(options.logPath), { recursive: true });
  await rotateLog(options.logPath);
  for (const port of [options.port, options.uiPort]) {
    if (port !== undefined) await requireFreePort(port);
  }
  for (let tries = 1; ; tries += 1) {
    const [grpc, ui, metrics] = (await freePorts(3)) as [number, number, number];
    const ports: Ports = { grpc: options.port ?? grpc, ui: options.uiPort ?? ui, metrics };
    const launch = await launchServer(options, ports);
    if ('server' in launch) return new KeptServer(options, ports, launch.server);
    // Someone was quicker to take a port: take others.
    const clash = launch.logTail.includes('address already in use');
    if (!clash || tries === START_TRIES) throw didNotStart(options, launch);
  }
}

class KeptServer implements EmbeddedServer {
  readonly namespace = NAMESPACE;
  readonly #options: TemporalServerOptions;
  readonly #ports: Ports;
  readonly #keeping: Promise<void>;
  #server: Supervised;
  #stopping = false;
  /** Times of past restarts, POSIX milliseconds. */
  #restarts: number[] = [];

  constructor(options: TemporalServerOptions, ports: Ports, server: Supervised) {
    this.#options = options;
    this.#ports = ports;
    this.#server = server;
    this.#keeping = this.#keep();
  }

  get address(): string {
    return addressOf(this.#ports);
  }

  get uiUrl(): string {
    return `http://127.0.0.1:${this.#ports.ui}`;
  }

  get pid(): number {
    return this.#server.pid;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#server.end();
    await this.#keeping;
  }

  /** Restarts the server whenever it ends by itself, until stopped or lost. Never rejects. */
  async #keep(): Promise<void> {
    let reason = await this.#server.ended;
    while (!this.#stopping) {
      const now = Date.now();
      this.#restarts = this.#restarts.filter((time) => time > now - RESTART_WINDOW_MS);
      if (this.#restarts.length === MAX_RESTARTS) {
        this.#options.onLost?.(
          `The embedded Temporal server ended ${MAX_RESTARTS + 1} times within a minute (${reason}); see ${this.#options.logPath}.`,
        );
        return;
      }
      this.#restarts.push(now);
      reason = await this.#restart(reason);
    }
  }

  /** @returns how the restarted server ended */
  async #restart(reason: string): Promise<string> {
    try {
      const launch = await launchServer(this.#options, this.#ports, (server) => {
        this.#server = server;
        if (this.#stopping) server.end();
      });
      if (!('server' in launch)) return launch.reason;
      if (!this.#stopping) this.#options.onRestart?.(reason);
      return await launch.server.ended;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

type Launch = { readonly server: Supervised } | { readonly reason: string; readonly logTail: string };

/** Starts the process and waits until it is ready; when it is not, nothing of it is left. */
async function launchServer(
  options: TemporalServerOptions,
  ports: Ports,
  onStarted: (server: Supervised) => void = () => undefined,
): Promise<Launch> {
  const logStart = await sizeOf(options.logPath);
  await markMaking(options.databasePath);
  const server = await supervise({
    command: options.binary,
    args: serverArguments(options, ports),
    cwd: dirname(options.databasePath),
    env: serverEnvironment(),
    logPath: options.logPath,
  });
  onStarted(server);
  const deadline = AbortSignal.timeout(READY_TIMEOUT_MS);
  const gone = new AbortController();
  const ended = server.ended.then((how) => {
    gone.abort();
    return how;
  });
  try {
    await prepareServer(addressOf(ports), AbortSignal.any([deadline, gone.signal]));
    // Another program may answer on a port that the server could not get.
    if (!gone.signal.aborted) {
      await markWhole(options.databasePath);
      server.unref();
      return { server };
    }
  } catch (error) {
    if (!gone.signal.aborted && !deadline.aborted) {
      server.end();
      await ended;
      throw error;
    }
  }
  server.end();
  const how = await ended;
  const reason = deadline.aborted ? `not ready after ${READY_TIMEOUT_MS / 1000} s` : how;
  return { reason, logTail: await readTail(options.logPath, logStart) };
}

function serverArguments({ databasePath }: TemporalServerOptions, ports: Ports): string[] {
  const types = { KEYWORD: 'Keyword', INT: 'Int' } as const;
  const flags = {
    '--ip': '127.0.0.1',
    '--port': ports.grpc,
    '--ui-port': ports.ui,
    '--metrics-port': ports.metrics,
    '--db-filename': databasePath,
    // Survives our crash and the server's; a power loss may cost the last moments, which then happen again.
    '--sqlite-pragma': ['journal_mode=wal', 'synchronous=1'],
    '--search-attribute': Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => `${name}=${types[type]}`),
    // No calls to the outside.
    '--dynamic-config-value': 'frontend.enableServerVersionCheck=false',
    '--log-level': 'warn',
    '--log-format': 'json',
  };
  const pairs = Object.entries(flags).flatMap(([flag, values]) =>
    [values].flat().flatMap((value) => [flag, String(value)]),
  );
  return ['server', 'start-dev', ...pairs, '--ui-disable-news-fetch'];
}

/** What the server needs of our environment: never a token. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function addressOf(ports: Ports): string {
  return `127.0.0.1:${ports.grpc}`;
}

async function requireFreePort(port: number): Promise<void> {
  if (await isPortFree(port)) return;
  throw new PipelineError('config_invalid', `Port ${port} on 127.0.0.1 is taken by another program.`, {
    hint: 'Name another port, or none: then reachback takes a free one.',
    context: { port },
  });
}

function didNotStart(
  options: TemporalServerOptions,
  { reason, logTail }: Exclude<Launch, { server: Supervised }>,
): PipelineError {
  const tail = logTail === '' ? '' : `\n${logTail}`;
  return new PipelineError('config_invalid', `The embedded Temporal server did not start (${reason}).${tail}`, {
    hint: `Its whole log is ${options.logPath}. When its database ${options.databasePath} is damaged, move it away: finished days are in the ledger, not in it.`,
    context: { binary: options.binary },
  });
}

/** Keeps one former log. */
async function rotateLog(path: string): Promise<void> {
  if ((await sizeOf(path)) > MAX_LOG_BYTES) await rename(path, `${path}.1`);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The end of what was written behind byte `start`. */
async function readTail(path: string, start: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(start, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, from);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}
