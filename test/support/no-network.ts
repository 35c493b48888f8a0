/** Loaded before the program (`NODE_OPTIONS=--import`): whoever opens a socket, listens, looks up a name or starts a process fails, loudly. */
import childProcess from 'node:child_process';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

function forbid(holder: object, name: string): void {
  Object.assign(holder, {
    [name]: () => {
      process.stderr.write(`tripwire: ${name}\n`);
      throw new Error(`tripwire: ${name} was called`);
    },
  });
}

forbid(net.Socket.prototype, 'connect');
forbid(net.Server.prototype, 'listen');
forbid(dns, 'lookup');
forbid(childProcess, 'spawn');
syncBuiltinESMExports();
