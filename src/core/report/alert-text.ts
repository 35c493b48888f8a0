/** What operators are told of failures: one message when a cause appears, one when it is gone. Pure. */
import type { ProductSlug } from '../product.ts';
import type { Day } from '../time/day.ts';

/** `stop`: the whole run stopped; the day is the one that met the cause. */
export type AlertPhase = 'download' | 'build' | 'upload' | 'stop';

/** Failures with one cause. */
export interface Alert {
  /** Eight hexadecimal digits; in every message about it. */
  readonly id: string;
  readonly product: ProductSlug;
  readonly phase: AlertPhase;
  /** Kind of the error. */
  readonly cause: string;
  /** What the first failure said; null when nothing was kept. */
  readonly detail: string | null;
  /** Days failed for this cause: now in the opening message, in all in the closing one. */
  readonly days: number;
  /** Null in the closing message. */
  readonly firstDay: Day | null;
}

/** Longest piece of an error's own words in a message. */
const MOST_DETAIL = 300;

/** The message that opens an alert. @param command - what the operator runs when the cause is gone */
export function openingText(alert: Alert, command: string): string {
  const { product, phase, cause, days, firstDay, detail } = alert;
  const what =
    phase === 'stop'
      ? `the run of ${product} stopped at ${firstDay}: ${cause}`
      : `${countOf(days)} of ${product} FAILED in ${phase}: ${cause}; the first is ${firstDay}`;
  const lines = [`reachback: ${what} (incident ${alert.id})`];
  if (detail !== null && detail !== '') lines.push(`> ${oneLine(detail)}`);
  lines.push(`When the cause is gone: ${command}`);
  return lines.join('\n');
}

/** The message that closes it. */
export function closingText({ id, product, phase, cause, days }: Alert): string {
  const what =
    phase === 'stop'
      ? `the run of ${product} goes on after ${cause}`
      : `no day of ${product} is failed in ${phase} for ${cause} any more; ${countOf(days)} ${days === 1 ? 'was' : 'were'}`;
  return `reachback: resolved: ${what} (incident ${id})`;
}

function countOf(days: number): string {
  return days === 1 ? '1 day' : `${days} days`;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MOST_DETAIL ? `${line.slice(0, MOST_DETAIL - 1)}…` : line;
}
