/** A server that speaks as much of AWS Secrets Manager as one lookup needs, for the real client. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SecretsAnswer {
  readonly status: number;
  /** Name of the service's error. */
  readonly type?: string;
  readonly body: object;
}

export interface SecretsRequest {
  readonly target: string;
  readonly body: unknown;
  readonly authorization: string;
}

export interface SecretsManager {
  readonly endpoint: string;
  /** In order. */
  readonly requests: SecretsRequest[];
  /** What is answered from now on. */
  setAnswer(answer: SecretsAnswer): void;
  close(): Promise<void>;
}

export async function startSecretsManager(): Promise<SecretsManager> {
  const requests: SecretsRequest[] = [];
  let answer: SecretsAnswer = { status: 400, type: 'ResourceNotFoundException', body: {} };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const piece of request) text += String(piece);
    const { 'x-amz-target': target, authorization = '' } = request.headers;
    requests.push({ target: String(target), body: JSON.parse(text), authorization });
    const type = answer.type === undefined ? {} : { 'x-amzn-errortype': answer.type };
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1', ...type });
    response.end(JSON.stringify(answer.body));
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    setAnswer(next) {
      answer = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
