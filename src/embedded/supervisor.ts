/**
 * Ties a server's life to ours, also when we are killed with -9 and can do nothing any more.
 *
 * A small shell in a session of its own (so that Ctrl-C in the terminal reaches us alone) starts the server and keeps two
 * guards that read from a pipe whose only other end is ours. When we end, for whatever reason, the kernel closes the pipe:
 * the guards read its end and terminate the server, by force after five seconds. There are two so that the server does not
 * become an orphan when any one of the three shells is killed as well.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const SCRIPT = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
guard() {
  while read -r _ <&3; do :; done
  kill -TERM "$server"
  tries=0
  while [ "$tries" -lt 50 ] && kill -0 "$server"; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -KILL "$server"
}
guard >/dev/null 2>&1 &
first=$!
guard >/dev/null 2>&1 &
second=$!
exec 3<&-
echo "$server"
wait "$server"
code=$?
kill "$first" "$second" 2>/dev/null
wait
exit "$code"
`;

/** The guards' five seconds and some more; after that the whole session is killed from here. */
const FORCE_AFTER_MS = 8_000;
const POLL_MS = 25;

export interface Supervised {
  /** Process id of the server itself. */
  readonly pid: number;
  /** Settles when server and supervisor are gone, with how they ended in words. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends the server: politely, by force after five seconds. Idempotent; `ended` tells when. */
  end(): void;
  /** Lets this process end without waiting for the server, which then ends too. */
  unref(): void;
}

export interface SupervisedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The command's output is appended here. */
  readonly logPath: string;
}

type Shell = ChildProcessByStdio<Socket, Socket, null>;

/** Starts `command` under supervision. @throws Error when no shell could be started */
export async function supervise({ command, args, cwd, env, logPath }: SupervisedCommand): Promise<Supervised> {
  const log = openSync(logPath, 'a');
  let shell: Shell;
  try {
    shell = spawn('/bin/sh', ['-c', SCRIPT, 'reachback-supervisor', command, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', log],
    }) as unknown as Shell;
  } finally {
    closeSync(log);
  }
  // Nothing is ever written to the pipe, but its other end may close first.
  shell.stdin.on('error', () => undefined);
  const ended = endOf(shell);
  // Behind `close` nothing more can be read, while `exit` may overtake the line.
  const closed = once(shell, 'close').then((): never => {
    throw new Error('the supervising shell ended before it started the server');
  });
  const firstLine = once(createInterface({ input: shell.stdout }), 'line') as Promise<[string]>;
  const [line] = await Promise.race([firstLine, closed]);
  let force: NodeJS.Timeout | undefined;
  void ended.then(() => clearTimeout(force));
  return {
    pid: Number(line),
    ended,
    end() {
      shell.ref();
      shell.stdin.end();
      // For the case that someone killed both guards.
      force ??= setTimeout(() => killGroup(shell.pid!), FORCE_AFTER_MS);
    },
    unref() {
      shell.unref();
      shell.stdin.unref();
      shell.stdout.unref();
    },
  };
}

async function endOf(shell: Shell): Promise<string> {
  let code: number | null;
  let signal: NodeJS.Signals | null;
  try {
    [code, signal] = (await once(shell, 'exit')) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    return `its supervisor could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (signal === null) return code !== null && code > 128 ? `signal ${code - 128}` : `exit code ${code}`;
  // The shell itself was killed; server and guards are still there. This makes the guards end the server.
  shell.stdin.end();
  const group = shell.pid!;
  for (let waitedMs = 0; isAlive(-group) && waitedMs < FORCE_AFTER_MS; waitedMs += POLL_MS) await sleep(POLL_MS);
  killGroup(group);
  return `its supervisor was ended by ${signal}`;
}

function killGroup(group: number): void {
  if (isAlive(-group)) process.kill(-group, 'SIGKILL');
}

/** @param pid - of a process, or negative of a process group */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
