/** Ctrl-C and SIGTERM: the first asks to stop in good order, the second ends the process at once. */
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';

export interface Interrupts {
  readonly signal: AbortSignal;
  /** Exit code of the interrupt that came, null before one. */
  code(): ExitCode | null;
  /** Resolves when an interrupt comes; keeps the process alive until then. */
  came(): Promise<void>;
  dispose(): void;
}

export function listenForInterrupts(onFirst: () => void): Interrupts {
  const controller = new AbortController();
  let code: ExitCode | null = null;
  const handler = (name: NodeJS.Signals): void => {
    const mine = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
    if (code !== null) process.exit(mine);
    code = mine;
    onFirst();
    controller.abort();
  };
  process.on('SIGINT', handler);
  process.on('SIGTERM', handler);
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
    },
  };
}
