import { describe, expect, test } from 'vitest';
import { CLOSED_BREAKER, adaptBreaker, backoffMs, closeIncident } from '../../../src/core/rate/breaker.ts';
import type { Breaker } from '../../../src/core/rate/breaker.ts';
import { NO_COOLDOWN, adaptCooldown } from '../../../src/core/rate/cooldown.ts';
import type { RequestOutcome } from '../../../src/core/rate/outcome.ts';

const LIMITED: RequestOutcome = { kind: 'rate_limited', retryAfterMs: null };
const FAILED: RequestOutcome = { kind: 'failure', penalty: false, retryAfterMs: null };
const SUCCESS: RequestOutcome = { kind: 'success' };

/** Lengths of the pauses of `count` 429s in a row, each answered to a request sent after the pause before. */
function pauses(count: number, retryAfterMs: number | null): number[] {
  let cooldown = NO_COOLDOWN;
  return Array.from({ length: count }, () => {
    const now = Math.max(cooldown.untilMs, 1_000) + 10;
    cooldown = adaptCooldown(cooldown, { kind: 'rate_limited', retryAfterMs }, now - 5, now);
    return (cooldown.untilMs - now) / 1_000;
  });
}

describe('cooldown', () => {
  test('without Retry-After: 30 s doubling to 10 min', () => {
    expect(pauses(7, null)).toEqual([30, 60, 120, 240, 480, 600, 600]);
  });

  test('SAFE-2: Retry-After wins, but never "at once"', () => {
    expect(pauses(3, 7_000)).toEqual([7, 7, 7]);
    expect(pauses(1, 0)).toEqual([1]);
  });

  test('after ten pauses that proved too short, the longer of the two counts', () => {
    expect(pauses(12, 7_000).slice(9)).toEqual([7, 600, 600]);
  });

  test('429s to requests from before the pause belong to it: they do not double it', () => {
    const first = adaptCooldown(NO_COOLDOWN, LIMITED, 100, 200);
    const second = adaptCooldown(first, LIMITED, 150, 210);
    expect(second.inARow).toBe(1);
    expect(second.untilMs).toBe(210 + 30_000);
  });

  test('a second answer never shortens a pause', () => {
    const long = adaptCooldown(NO_COOLDOWN, { kind: 'rate_limited', retryAfterMs: 60_000 }, 100, 200);
    const short = adaptCooldown(long, { kind: 'rate_limited', retryAfterMs: 1_000 }, 150, 300);
    expect(short.untilMs).toBe(60_200);
  });

  test('a success ends the row, not the pause', () => {
    const limited = adaptCooldown(NO_COOLDOWN, LIMITED, 100, 200);
    expect(adaptCooldown(limited, SUCCESS, 100, 300)).toEqual({ ...limited, inARow: 0 });
  });

  test('UDL-D4: 503 with Retry-After pauses too, without it does not', () => {
    const asked = adaptCooldown(NO_COOLDOWN, { kind: 'failure', penalty: true, retryAfterMs: 9_000 }, 100, 200);
    expect(asked).toMatchObject({ untilMs: 9_200, inARow: 0 });
    expect(adaptCooldown(NO_COOLDOWN, FAILED, 100, 200)).toBe(NO_COOLDOWN);
  });
});

const context = (nowMs: number) => ({
  startedMs: nowMs,
  nowMs,
  passWaitMs: 5_000,
  random: 1,
  incidentId: `at-${nowMs}`,
});

/** Applies outcomes one second apart, or after the closed time when a pass has ended. */
function after(
  outcomes: readonly RequestOutcome[],
  from: Breaker = CLOSED_BREAKER,
): { breaker: Breaker; waits: number[] } {
  let breaker = from;
  let nowMs = 1_000;
  const waits: number[] = [];
  for (const outcome of outcomes) {
    nowMs = Math.max(nowMs + 1_000, breaker.closedUntilMs);
    const closedBefore = breaker.closedUntilMs;
    breaker = adaptBreaker(breaker, outcome, context(nowMs));
    if (breaker.closedUntilMs > closedBefore) waits.push((breaker.closedUntilMs - nowMs) / 1_000);
  }
  return { breaker, waits };
}
const failures = (count: number): RequestOutcome[] => Array.from({ length: count }, () => FAILED);

describe('breaker', () => {
  test('SAFE-4: five failures in a row end the pass, waits double from 5 s, six passes trip', () => {
    expect(after(failures(4)).breaker).toMatchObject({ failuresInARow: 4, failedPasses: 0, incident: null });
    expect(after(failures(29))).toMatchObject({ waits: [5, 10, 20, 40, 80], breaker: { incident: null } });
    expect(after(failures(30)).breaker.incident).toMatchObject({ reason: 'source_failing' });
  });

  test('any success starts over', () => {
    expect(after([...failures(29), SUCCESS]).breaker).toEqual(CLOSED_BREAKER);
  });

  test('429 counts for neither side', () => {
    expect(after([...failures(4), LIMITED]).breaker.failuresInARow).toBe(4);
    expect(after([...failures(4), LIMITED, FAILED]).breaker.failedPasses).toBe(1);
  });

  test('failures of requests from before the pass ended are part of it', () => {
    const { breaker } = after(failures(5));
    expect(adaptBreaker(breaker, FAILED, { ...context(99_000), startedMs: breaker.passEndedMs - 1 })).toBe(breaker);
  });

  test.for([401, 403])('%d trips at once', (status) => {
    expect(after([{ kind: 'auth_rejected', status }]).breaker.incident).toMatchObject({ reason: 'auth_rejected' });
  });

  test('closing is compare-and-set; then a probe decides', () => {
    const { breaker } = after(failures(30));
    expect(closeIncident(breaker, 'another')).toBe(breaker);
    const probing = closeIncident(breaker, breaker.incident!.id);
    expect(probing).toMatchObject({ incident: null, probing: true });
    expect(adaptBreaker(probing, LIMITED, context(1)).probing).toBe(true);
    expect(adaptBreaker(probing, SUCCESS, context(1))).toEqual(CLOSED_BREAKER);
    expect(adaptBreaker(probing, FAILED, context(7)).incident).toMatchObject({ id: 'at-7', why: 'the probe failed' });
  });

  test('an open incident is kept: late answers neither close nor replace it', () => {
    const { breaker } = after(failures(30));
    expect(adaptBreaker(breaker, SUCCESS, context(9))).toBe(breaker);
    expect(adaptBreaker(breaker, { kind: 'auth_rejected', status: 401 }, context(9))).toBe(breaker);
  });

  test('waits stop doubling at five minutes', () => {
    expect(backoffMs(5_000, 20, 1)).toBe(300_000);
    expect(backoffMs(5_000, 1, 0)).toBe(4_000);
  });
});
