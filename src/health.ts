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

/**
 * @param address - `host:port`; port 0 for a free one
 * @throws PipelineError `config_invalid` when the address cannot be used
 */
export async function serveHealth(
  address: { host: string; port: number },
  checks: HealthChecks,
): Promise<HealthEndpoint> {
  const faultOf = async (path: string): Promise<string | null | undefined> => {
    if (path === '/healthz') return checks.worker();
    return path === '/readyz' ? (checks.worker() ?? (await checks.server())) : undefined;
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
