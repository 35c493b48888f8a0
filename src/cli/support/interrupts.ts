/** Ctrl-C, SIGTERM and a terminal that goes away: the first asks to stop in good order, the second ends the process at once. */
import { isatty } from 'node:tty';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hungUp } as const;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** Exit code of the interrupt that came, null before one. */
  code(): ExitCode | null;
  /** Resolves when an interrupt comes; keeps the process alive until then. */
  came(): Promise<void>;
  dispose(): void;
}

/**
 * Node forgets that nohup had it ignored: a process without a terminal does not end with one, whatever its command. For the whole
 * life of the process.
 */
export function outliveTerminal(): void {
  if (!hasTerminal()) process.on('SIGHUP', () => undefined);
}

function hasTerminal(): boolean {
  return [0, 1, 2].some((stream) => isatty(stream));
}

export function listenForInterrupts(onFirst: () => void): Interrupts {
  const controller = new AbortController();
  let code: ExitCode | null = null;
  const handler = (name: NodeJS.Signals): void => {
    const mine = CODES[name as keyof typeof CODES];
    if (code !== null) process.exit(mine);
    code = mine;
    onFirst();
    controller.abort();
  };
  const onTerminal = hasTerminal();
  // The shell tells of a terminal that goes away, and the system when the shell has ended: both mean the same one.
  const hangUp = (name: NodeJS.Signals): void => {
    if (onTerminal && code === null) handler(name);
  };
  process.on('SIGINT', handler);
  process.on('SIGTERM', handler);
  process.on('SIGHUP', hangUp);
  return {
    signal: controller.signal,
    code: () => code,
    came: () =>
      new Promise((resolve) => {
        // Signal handlers alone do not keep a process alive.
        const alive = setInterval(() => undefined, 60_000);
        const over = (): void => {
          clearInterval(alive);
          resolve();
        };
        if (controller.signal.aborted) over();
        else controller.signal.addEventListener('abort', over, { once: true });
      }),
    dispose() {
      process.off('SIGINT', handler);
      process.off('SIGTERM', handler);
      process.off('SIGHUP', hangUp);
    },
  };
}
