/** A UDL whose every answer a test decides. Listens on 127.0.0.1 only. */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Ends of `obTime`, POSIX milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  /** How often this URL has been asked for, from 1. */
  readonly time: number;
  /** Set when the client went away before the answer was complete. */
  aborted: boolean;
}

export type Script = (response: ServerResponse, request: SeenRequest) => void;

export interface ScriptedServer {
  readonly url: string;
  readonly seen: SeenRequest[];
  script: Script;
  close(): Promise<void>;
}

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const url = request.url ?? '';
    const [start = '', end = ''] = (new URL(url, 'http://localhost').searchParams.get('obTime') ?? '').split('..');
    const entry: SeenRequest = {
      url,
      headers: request.headers,
      startMs: Date.parse(start),
      endMs: Date.parse(end),
      time: seen.filter((other) => other.url === url).length + 1,
      aborted: false,
    };
    seen.push(entry);
    response.on('close', () => {
      entry.aborted = !response.writableFinished;
    });
    scripted.script(response, entry);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const scripted: ScriptedServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    script,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return scripted;
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, JSON.stringify(value));
}

export function send(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  });
  response.end(body);
}

/** Promises more than it sends, then hangs up. */
export function sendCut(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length + 100) });
  response.write(body, () => response.destroy());
}
