import { expect, test } from 'vitest';
import { serveHealth } from '../src/health.ts';

test('a worker that stops polling is not healthy, one without its server is not ready; both say why', async () => {
  let worker: string | null = null;
  let server: string | null = null;
  const checks = { worker: () => worker, server: () => Promise.resolve(server) };
  const endpoint = await serveHealth({ host: '127.0.0.1', port: 0 }, checks);
  const ask = async (path: string): Promise<[number, string]> => {
    const answer = await fetch(`http://${endpoint.address}${path}`);
    return [answer.status, (await answer.text()).trim()];
  };
  try {
    expect(await ask('/healthz')).toEqual([200, 'ok']);
    expect(await ask('/readyz')).toEqual([200, 'ok']);
    server = 'the Temporal server does not answer: refused';
    expect(await ask('/healthz')).toEqual([200, 'ok']);
    expect(await ask('/readyz')).toEqual([503, server]);
    worker = 'the worker of reachback-x is STOPPING';
    expect(await ask('/healthz')).toEqual([503, worker]);
    expect(await ask('/readyz')).toEqual([503, worker]);
    expect((await ask('/'))[0]).toBe(404);
    const port = Number(endpoint.address.split(':')[1]);
    await expect(serveHealth({ host: '127.0.0.1', port }, checks)).rejects.toMatchObject({ kind: 'config_invalid' });
  } finally {
    await endpoint.close();
  }
});

test('a server that says nothing at all: not ready, told in time for who asks', async () => {
  const checks = { worker: () => null, server: () => new Promise<null>(() => undefined) };
  const endpoint = await serveHealth({ host: '127.0.0.1', port: 0 }, checks, 20);
  try {
    const answer = await fetch(`http://${endpoint.address}/readyz`);
    expect([answer.status, await answer.text()]).toEqual([503, 'the Temporal server has not answered for 0.02 s\n']);
  } finally {
    await endpoint.close();
  }
});
