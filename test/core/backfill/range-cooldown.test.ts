import { describe, expect, test } from 'vitest';
import { beginCooldown, endCooldown } from '../../../src/core/backfill/range-cooldown.ts';
import type { RangeState } from '../../../src/core/backfill/range-state.ts';

const UNTIL = '2025-09-01T12:00:00.000Z';
const LATER = '2025-09-01T13:00:00.000Z';
const notice = (until = UNTIL) => ({ until, why: 'Retry-After 300 s', waitMs: 1_000 });
const state = (): RangeState => ({}) as RangeState;

describe('a long pause of the source (SAFE-2)', () => {
  test('begins once, is prolonged by a later one, and ends with the latest', () => {
    const of = state();
    expect(beginCooldown(of, notice())).toEqual(notice());
    expect(beginCooldown(of, notice())).toBeNull();
    expect(beginCooldown(of, notice(LATER))).toEqual(notice(LATER));
    endCooldown(of, UNTIL);
    expect(of.cooldown).toEqual({ until: LATER, why: 'Retry-After 300 s' });
    endCooldown(of, LATER);
    expect(of.cooldown).toBeNull();
  });

  test.for([
    undefined,
    null,
    'soon',
    {},
    { ...notice(), until: 'tomorrow' },
    { ...notice(), until: 7 },
    { ...notice(), waitMs: 0 },
    { ...notice(), waitMs: '1000' },
    { ...notice(), waitMs: Number.NaN },
    { ...notice(), waitMs: 1e15 },
  ])('a message that makes no sense changes nothing: %j', (bad) => {
    const of = state();
    expect(beginCooldown(of, bad)).toBeNull();
    expect(of).toEqual({});
  });

  test('a reason is cut, a missing one is said to be', () => {
    const of = state();
    beginCooldown(of, { ...notice(), why: 'x'.repeat(1_000) });
    expect(of.cooldown?.why).toHaveLength(300);
    beginCooldown(of, { ...notice(LATER), why: 7 });
    expect(of.cooldown?.why).toBe('no reason given');
  });
});
