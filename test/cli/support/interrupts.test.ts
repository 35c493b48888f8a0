import { isatty } from 'node:tty';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listenForInterrupts } from '../../../src/cli/support/interrupts.ts';
import type { Interrupts } from '../../../src/cli/support/interrupts.ts';

vi.mock('node:tty', () => ({ isatty: vi.fn<() => boolean>() }));

let interrupts: Interrupts;
let first: number;
let others: NodeJS.SignalsListener[];

beforeEach(() => {
  // The test runner listens too; it must not hear of this.
  vi.mocked(isatty).mockReset();
  others = process.listeners('SIGINT');
  process.removeAllListeners('SIGINT');
  first = 0;
  interrupts = listenForInterrupts(() => {
    first += 1;
  });
});

afterEach(() => {
  interrupts.dispose();
  for (const listener of others) process.on('SIGINT', listener);
  vi.restoreAllMocks();
});

describe('CLI-9: interrupts', () => {
  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('the first %s asks to stop in good order: code %i', async ([name, code]) => {
    expect([interrupts.code(), interrupts.signal.aborted]).toEqual([null, false]);
    const came = interrupts.came();
    process.emit(name, name);
    await came;
    await interrupts.came();
    expect([interrupts.code(), interrupts.signal.aborted, first]).toEqual([code, true, 1]);
  });

  test('a terminal that goes away stops in good order, code 129; without one nohup holds and nothing ends', () => {
    process.emit('SIGHUP', 'SIGHUP');
    expect([interrupts.code(), first]).toEqual([null, 0]);
    vi.mocked(isatty).mockReturnValue(true);
    const onTerminal = listenForInterrupts(() => undefined);
    process.emit('SIGHUP', 'SIGHUP');
    expect([onTerminal.code(), onTerminal.signal.aborted]).toEqual([129, true]);
    onTerminal.dispose();
  });

  test('a terminal that goes away is told of twice, by the shell and by the system: that is one interrupt', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
      throw new Error('ended');
    });
    vi.mocked(isatty).mockReturnValue(true);
    const onTerminal = listenForInterrupts(() => undefined);
    process.emit('SIGHUP', 'SIGHUP');
    process.emit('SIGHUP', 'SIGHUP');
    expect([onTerminal.code(), exit.mock.calls]).toEqual([129, []]);
    expect(() => process.emit('SIGTERM', 'SIGTERM')).toThrow('ended');
    expect(exit).toHaveBeenCalledExactlyOnceWith(143);
    onTerminal.dispose();
  });

  test('the second one ends the process at once, with its own code', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
      throw new Error('ended');
    });
    process.emit('SIGINT', 'SIGINT');
    expect(exit).not.toHaveBeenCalled();
    expect(() => process.emit('SIGTERM', 'SIGTERM')).toThrow('ended');
    expect(exit).toHaveBeenCalledExactlyOnceWith(143);
    expect(first).toBe(1);
  });

  test('once disposed it hears nothing more', () => {
    interrupts.dispose();
    process.on('SIGINT', () => undefined);
    process.emit('SIGINT', 'SIGINT');
    process.removeAllListeners('SIGINT');
    expect([interrupts.code(), first]).toEqual([null, 0]);
  });
});
