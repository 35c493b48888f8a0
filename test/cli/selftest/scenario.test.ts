import { assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { checkPlan } from '../../../simulator/faults/plan.ts';
import { POINTS_OF_A_RUN, scenarioOf } from '../../../src/cli/selftest/scenario.ts';

const seeds = integer({ min: 0, max: 2 ** 40 });

test('a seed means the same every time, and something the program and the simulator can do', () => {
  assert(
    property(seeds, (seed) => {
      const scenario = scenarioOf(seed);
      expect(scenarioOf(seed)).toEqual(scenario);
      expect(() => checkPlan({ seed: 1, rules: scenario.faults })).not.toThrow();
      expect(scenario.lives.length > 0 || scenario.lastServerAt !== null).toBe(true);
      for (const { victim, at, serverAt } of scenario.lives) {
        expect(victim === 'worker').toBe(scenario.apart);
        expect('point' in at ? at.nth : at.requests).toBeGreaterThanOrEqual(1);
        expect(serverAt ?? 1).toBeGreaterThanOrEqual(1);
      }
    }),
  );
});

test('two hundred seeds meet every crash point of a run, every victim and every shape', () => {
  const scenarios = Array.from({ length: 200 }, (_, index) => scenarioOf(index + 1));
  const lives = scenarios.flatMap((scenario) => scenario.lives);
  const points = new Set(lives.flatMap(({ at }) => ('point' in at ? [at.point] : [])));
  expect(POINTS_OF_A_RUN.filter((point) => !points.has(point))).toEqual([]);
  expect(new Set(lives.map(({ victim }) => victim))).toEqual(new Set(['program', 'worker', 'everything']));
  expect(new Set(scenarios.map(({ shape }) => shape.name)).size).toBe(4);
  expect(scenarios.filter(({ lastServerAt }) => lastServerAt !== null).length).toBeGreaterThan(10);
});
