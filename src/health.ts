/** Two answers over HTTP for whoever watches a worker: `/healthz` (it runs) and `/readyz` (it runs and reaches its server). */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PipelineError } from './core/errors.ts';

export interface HealthChecks {
  /** Null when the worker polls, otherwise why not. */
  readonly worker: () => string | null;
  /** The same for the server's answer; may take its time. */
  readonly server: () => Promise<string | null>;
}

export interface HealthEndpoint {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** A server that does not answer within this time is no server to work for. */
const SERVER_ANSWERS_MS = 3_000;

/**
 * @param address - `host:port`; port 0 for a free one
 * @param patienceMs - for the server's answer: the SDK itself asks on for far longer than who asks us would wait
 * @throws PipelineError `config_invalid` when the address cannot be used
 */
export async function serveHealth(
  address: { host: string; port: number },
  checks: HealthChecks,
  patienceMs = SERVER_ANSWERS_MS,
): Promise<HealthEndpoint> {
  const faultOf = async (path: string): Promise<string | null | undefined> => {
    if (path === '/healthz') return checks.worker();
    return path === '/readyz' ? (checks.worker() ?? (await within(patienceMs, checks.server()))) : undefined;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const fault = await faultOf(request.url ?? '');
    response.writeHead(fault === undefined ? 404 : fault === null ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(`${fault === undefined ? 'ask for /healthz or /readyz' : (fault ?? 'ok')}\n`);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const { host, port } = address;
      const what = `The health endpoint cannot listen on ${host}:${port}: ${error.message}.`;
      reject(new PipelineError('config_invalid', what, { hint: 'Name a free port with --health.', cause: error }));
    });
    server.listen(address.port, address.host, resolve);
  });
  const { address: host, port } = server.address() as AddressInfo;
  return {
    address: `${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function within(ms: number, answer: Promise<string | null>): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`the Temporal server has not answered for ${ms / 1_000} s`), ms);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}
