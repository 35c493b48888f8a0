/** Differences between what two runs left, in words. Pure. */
import type { Evidence } from './evidence.ts';

/** Of one kind of difference so many are told. */
const MOST_TOLD = 5;
const LONGEST_TEXT = 400;

/** What a disturbed run left that an undisturbed one did not, and the other way round; empty when they agree. */
export function differencesOf(undisturbed: Evidence, disturbed: Evidence): string[] {
  const told: string[] = [...disturbed.untidy];
  const names = new Set([...undisturbed.files.keys(), ...disturbed.files.keys()]);
  const files = [...names].toSorted().flatMap((name) => {
    const [expected, found] = [undisturbed.files.get(name), disturbed.files.get(name)];
    if (expected === found) return [];
    if (expected === undefined) return [`a file too many: ${name}`];
    return found === undefined ? [`a file is missing: ${name}`] : [`another content: ${name}: ${short(found)}`];
  });
  told.push(...files.slice(0, MOST_TOLD));
  for (const table of new Set([...undisturbed.rows.keys(), ...disturbed.rows.keys()])) {
    const [expected, found] = [undisturbed.rows.get(table) ?? [], disturbed.rows.get(table) ?? []];
    const rows = [
      ...without(expected, found).map((row) => `a row of ${table} is missing: ${short(row)}`),
      ...without(found, expected).map((row) => `a row of ${table} too many: ${short(row)}`),
    ];
    told.push(...rows.slice(0, MOST_TOLD));
  }
  return told;
}

/** The members of `list` that `others` lacks; each counts as often as it stands there. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const each of others) left.set(each, (left.get(each) ?? 0) + 1);
  return list.filter((each) => {
    const count = left.get(each) ?? 0;
    left.set(each, count - 1);
    return count <= 0;
  });
}

function short(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
