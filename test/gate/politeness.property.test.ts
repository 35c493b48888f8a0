import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGate } from '../../src/gate/index.ts';
import { VirtualClock } from './virtual-clock.ts';

const answers = fc.record({
  latencyMs: fc.integer({ min: 0, max: 3_000 }),
  outcome: fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'success' } as const) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('1', '9', '60', null)
        .map((retryAfter) => ({ kind: 'rate_limited', headers: { retryAfter, date: null } }) as const),
    },
    { weight: 2, arbitrary: fc.boolean().map((penalty) => ({ kind: 'failure', penalty, headers: null }) as const) },
  ),
});

const runs = fc.record({
  answers: fc.array(answers, { minLength: 1, maxLength: 25 }),
  runners: fc.integer({ min: 1, max: 6 }),
  maxConcurrentRequests: fc.integer({ min: 1, max: 4 }),
  initialRate: fc.double({ min: 0.5, max: 25, noNaN: true }),
});

test('SAFE-1, SAFE-2, UDL-17…19: whatever the source answers, permits keep their distance, their number and every pause', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ answers, runners, maxConcurrentRequests, initialRate }) => {
      const clock = new VirtualClock();
      const gate = createGate({ clock, random: () => 0.5, config: { initialRate, maxConcurrentRequests } });
      const queue = [...answers];
      let lastMs = -Infinity;
      async function runner(): Promise<void> {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const permit = await gate.acquire().catch(async (error: { retryAfterMs?: number }) => {
            await clock.sleep(error.retryAfterMs ?? Infinity);
            return null;
          });
          if (!permit) {
            queue.unshift(next);
            continue;
          }
          const { rate, cooldown, inFlight } = gate.snapshot();
          // Floating-point sums of times near 2e12 ms are exact to 0.0005 ms.
          expect(clock.now() - lastMs).toBeGreaterThanOrEqual(1_000 / rate - 0.001);
          lastMs = clock.now();
          expect(cooldown).toBeNull();
          expect(inFlight).toBeLessThanOrEqual(maxConcurrentRequests);
          expect(rate).toBeGreaterThanOrEqual(0.5);
          expect(rate).toBeLessThanOrEqual(25);
          await clock.sleep(next.latencyMs);
          permit.release(next.outcome);
        }
      }
      const all = Promise.all(Array.from({ length: runners }, runner));
      await clock.advance(20 * 3_600_000);
      if (gate.refusal() === null) await all;
    }),
    { numRuns: 40 },
  );
});
