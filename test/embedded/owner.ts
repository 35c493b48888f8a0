/** Another process that owns a server until it is killed; run by tests. Prints one JSON line when the server is up. */
import { supervise } from '../../src/embedded/supervisor.ts';
import { startTemporalServer } from '../../src/embedded/temporal-server.ts';

const [mode, folder, ...command] = process.argv.slice(2) as [string, string, ...string[]];
if (mode === 'supervise') {
  const [program, ...args] = command as [string, ...string[]];
  const { pid } = await supervise({ command: program, args, cwd: folder, env: process.env, logPath: `${folder}/log` });
  console.log(JSON.stringify({ pid }));
} else {
  const { pid, address } = await startTemporalServer({
    binary: command[0]!,
    databasePath: `${folder}/temporal.db`,
    logPath: `${folder}/log`,
  });
  console.log(JSON.stringify({ pid, address }));
}
if (mode !== 'server-then-end') setInterval(() => undefined, 1000);
