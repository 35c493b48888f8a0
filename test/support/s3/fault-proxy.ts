/** A proxy before an S3 server that loses, cuts, delays and refuses, by rule; and counts what came by. */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Fault =
  /** The request is carried out; the connection breaks before the answer. */
  | { readonly kind: 'lose_answer' }
  /** The connection breaks after this many bytes of the request's body; the server sees a cut body. */
  | { readonly kind: 'cut_body'; readonly afterBytes: number }
  /** Answered at once with this status; the server sees nothing. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The request is carried out; the answer is this status instead. */
  | { readonly kind: 'status_after'; readonly status: number }
  /** Nothing is answered and nothing is read. */
  | { readonly kind: 'silence' }
  /** The body goes on at this pace. */
  | { readonly kind: 'slow'; readonly chunkDelayMs: number };

export interface FaultRule {
  /** HTTP method, or COPY for a PUT that copies inside the server. */
  readonly method: string;
  /** How many such requests pass unharmed first; default 0. */
  readonly skip?: number;
  /** How many such requests it meets; default 1. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface FaultProxy {
  readonly url: string;
  setFaults(rules: readonly FaultRule[]): void;
  /** Requests since the last call, by method, in order. */
  takeRequests(): string[];
  /** Bytes of bodies that reached the server since the start. */
  bodyBytes(): number;
  close(): Promise<void>;
}

export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  let rules: { method: string; skip: number; left: number; fault: Fault }[] = [];
  let requests: string[] = [];
  let bodyBytes = 0;
  const target = new URL(upstream);
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const method = request.method ?? '';
    requests.push(request.headers['x-amz-copy-source'] === undefined ? method : 'COPY');
    const { socket } = request;
    void pass(request, response, faultOf(requests.at(-1) ?? '')).catch(() => socket.destroy());
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function faultOf(method: string): Fault | null {
    const rule = rules.find((candidate) => candidate.method === method && candidate.left > 0);
    if (!rule) return null;
    if (rule.skip > 0) {
      rule.skip -= 1;
      return null;
    }
    rule.left -= 1;
    return rule.fault;
  }

  async function pass(request: IncomingMessage, response: ServerResponse, fault: Fault | null): Promise<void> {
    if (fault?.kind === 'silence') return;
    // A request that is left early forgets its socket.
    const { socket } = request;
    if (fault?.kind === 'status') {
      request.resume();
      await once(request, 'end');
      response.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers }).end(fault.body ?? '');
      return;
    }
    // The signature covers the host that the client saw; it is passed on as it is.
    const { expect: _continued, ...headers } = request.headers;
    const { hostname, port } = target;
    const onward = httpRequest({ hostname, port, method: request.method, path: request.url, headers, agent: false });
    onward.on('error', () => socket.destroy());
    if (!(await sendBody(request, onward, fault))) return;
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    if (fault?.kind === 'lose_answer' || fault?.kind === 'status_after') {
      answer.resume();
      await once(answer, 'end');
      if (fault.kind === 'lose_answer') socket.destroy();
      else response.writeHead(fault.status).end();
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }

  /** @returns false when both ends were cut in the middle */
  async function sendBody(request: IncomingMessage, onward: ClientRequest, fault: Fault | null): Promise<boolean> {
    const { socket } = request;
    let sent = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.chunkDelayMs));
      if (fault?.kind === 'cut_body' && sent + piece.length > fault.afterBytes) {
        onward.write(piece.subarray(0, fault.afterBytes - sent), () => {
          onward.destroy();
          socket.destroy();
        });
        return false;
      }
      sent += piece.length;
      bodyBytes += piece.length;
      if (!onward.write(piece)) await once(onward, 'drain');
    }
    onward.end();
    return true;
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFaults(given) {
      rules = given.map(({ method, skip = 0, times = 1, fault }) => ({ method, skip, left: times, fault }));
    },
    takeRequests() {
      const taken = requests;
      requests = [];
      return taken;
    },
    bodyBytes: () => bodyBytes,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
