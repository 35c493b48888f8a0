/** A door in front of the simulator that can be shut for a moment: then connections are refused. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SHUT_MS = 60;

export interface Door {
  readonly url: string;
  /** Shuts the door when a slice is about to be asked for, each once. Slices are counted from 0 in their six hours of the day. */
  closeAt(moments: readonly { readonly day: string; readonly slice: number }[]): void;
  /** How often it was shut. */
  shut(): number;
  stop(): Promise<void>;
}

/** Passes bytes on as they are. A request that meets a moment is not passed on: its connection is cut and the port closed. */
export async function startDoor(target: number): Promise<Door> {
  const sockets = new Set<Socket>();
  let moments: string[] = [];
  let shut = 0;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    }
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      const met = moments.findIndex((moment) => text.includes(`obTime=${moment}`));
      if (met < 0) {
        upstream.write(bytes);
        return;
      }
      moments.splice(met, 1);
      void shutForAMoment();
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroySoon());
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  async function shutForAMoment(): Promise<void> {
    shut += 1;
    server.close();
    for (const socket of sockets) socket.destroy();
    await sleep(SHUT_MS);
    await listen(port);
  }

  return {
    url: `http://127.0.0.1:${port}`,
    closeAt(list) {
      moments = list.map(({ day, slice }) => `${day}T${String(slice * 6).padStart(2, '0')}`);
    },
    shut: () => shut,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
