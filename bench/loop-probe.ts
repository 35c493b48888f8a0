/**
 * Loaded into the program by `node --import`: keeps how long the main thread's event loop was blocked, second by second,
 * and writes that to `BENCH_LOOP_FILE` when the process ends. The first process that starts with the variable is meant.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const RESOLUTION_MS = 5;
const LOOK_EVERY_MS = 100;

const path = process.env['BENCH_LOOP_FILE'];
if (isMainThread && path !== undefined && isFirst(path)) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const blocks: { atMs: number; ms: number }[] = [];
  const look = (): void => {
    blocks.push({ atMs: Date.now(), ms: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) });
    delay.reset();
  };
  delay.enable();
  setInterval(look, LOOK_EVERY_MS).unref();
  process.once('exit', () => {
    look();
    writeFileSync(path, JSON.stringify(blocks));
  });
}

function isFirst(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx'));
    return true;
  } catch {
    return false;
  }
}
