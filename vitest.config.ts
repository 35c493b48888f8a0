import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** As `bin/reachback` has it: programs that tests start begin sooner. */
const COMPILED = fileURLToPath(new URL('./node_modules/.cache/reachback-compiled', import.meta.url));

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/global-setup.ts'],
    env: { NODE_COMPILE_CACHE: COMPILED },
  },
});
