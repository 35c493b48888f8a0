import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** As `bin/reachback` has it: programs that tests start begin sooner. */
const COMPILED = fileURLToPath(new URL('./node_modules/.cache/reachback-compiled', import.meta.url));

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 3,
    include: ['test/**/*.test.ts'],
    sequence: { sequencer: LongestFirst },
    // These say that something hangs, not that it is slow: a loaded machine may take its time.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    globalSetup: ['test/support/global-setup.ts'],
    env: { NODE_COMPILE_CACHE: COMPILED },
  },
});
