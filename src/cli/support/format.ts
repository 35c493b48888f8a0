/** Numbers and tables as people read them. */

const MEBIBYTE = 1_048_576;

export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Size in MiB or GiB, as the telemetry's `*_mb` columns mean it (TEL-D14). */
export function formatBytes(bytes: number): string {
  if (bytes >= 1024 * MEBIBYTE) return `${(bytes / (1024 * MEBIBYTE)).toFixed(2)} GiB`;
  return `${(bytes / MEBIBYTE).toFixed(bytes < 10 * MEBIBYTE ? 2 : 1)} MiB`;
}

export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Columns padded to their widest cell; numbers to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, column) =>
        rightAligned.includes(column) ? (cells[column] ?? '').padStart(width) : (cells[column] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

/** `████████░░░░` of `width` characters. */
export function formatBar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
