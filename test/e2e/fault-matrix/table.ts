/** The fault table in words. Pure. */
import type { MatrixRow } from './matrix.ts';

const HEAD = ['fault', 'placement', 'outcome', 'seen', 'slices', 'failed', 'asked again', 'in vain', 'in cooldown'];

export function faultTable(rows: readonly MatrixRow[]): string {
  const cells = rows.map((row) => [
    row.fault,
    row.placement,
    row.outcome,
    ...[row.requestsSeen, row.slices, row.slicesFailed, row.slicesAskedAgain, row.askedInVain, row.begunInCooldown].map(
      String,
    ),
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return [line(HEAD), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n');
}
