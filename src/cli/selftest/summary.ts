/** The words at the end of a drill. Pure. */
import type { DrillResult } from './drill.ts';

/** One line for a seed that has just run. */
export function seedLine({ scenario, kills, faults, differences, seconds }: DrillResult): string {
  const { seed, shape, apart } = scenario;
  const faulty = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const what = [shape.name, apart ? 'apart' : 'together', kills.join(', ') || 'no kill', `${faulty} faults`];
  return `seed ${seed}: ${differences.length === 0 ? 'same' : 'DIFFERS'} · ${what.join(' · ')} · ${seconds.toFixed(1)} s`;
}

export function summaryLines(results: readonly DrillResult[]): string[] {
  const seeds = results.map(({ scenario }) => scenario.seed);
  const differing = results.filter(({ differences }) => differences.length > 0);
  const kills = results.flatMap((result) => result.kills);
  const sum = (count: (result: DrillResult) => number): number => results.reduce((all, each) => all + count(each), 0);
  const faults = results.flatMap((result) =>
    Object.entries(result.faults).flatMap(([kind, n]) => Array<string>(n).fill(kind)),
  );
  return [
    `selftest: ${results.length} seeds (${Math.min(...seeds)}..${Math.max(...seeds)}), ${differing.length} with differences, ${sum(({ seconds }) => seconds).toFixed(0)} s`,
    `killed: ${tally(kills.map((kill) => kill.split(' at ')[0] ?? ''))}; too late: ${sum(({ missed }) => missed)}`,
    `killed at: ${tally(kills.map((kill) => (kill.split(' at ')[1] ?? '').replace(/[: ]\d+$/, '')))}`,
    `faults of the source: ${tally(faults)}`,
    `slices asked for: ${sum(({ dataRequests }) => dataRequests)}, undisturbed ${sum(({ undisturbedRequests }) => undisturbedRequests)}; answered twice: ${sum(({ repeated }) => repeated)}`,
  ];
}

/** What to look at after a difference, and how to see it again. */
export function differenceLines({ scenario, dir, kills, differences }: DrillResult): string[] {
  return [
    `seed ${scenario.seed} left something else than an undisturbed run (${kills.join(', ') || 'no kill'}):`,
    ...differences.map((difference) => `  ${difference}`),
    `  → its folder is ${dir}; again: reachback selftest --seed ${scenario.seed}`,
  ];
}

/** `a 3, b 1`, the most frequent first. */
function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const ordered = [...counts].toSorted(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1));
  return ordered.length === 0 ? 'none' : ordered.map(([word, count]) => `${word} ${count}`).join(', ');
}
