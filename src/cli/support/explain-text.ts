/** The history of a day as an operator reads it: what happened, in order, and why. */
import type { RequestFailureRow, SliceRow } from '../../ledger/ledger.ts';
import type { DayHistory } from '../../ledger/reports.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

/** @param withSlices - one line for each slice, with its hash */
export function explainText(history: DayHistory, withSlices: boolean): string {
  return [
    `${history.day} ${history.product}`,
    ...section('Attempts', attemptLines(history)),
    ...section('Passes: each go at a stage', passLines(history)),
    ...section('Requests that brought nothing, and what followed', requestLines(history)),
    ...section('Slices', sliceLines(history, withSlices)),
    ...section('Files', fileLines(history)),
    ...section('Counts', countLines(history)),
    ...section('Uploads', deliveryLines(history)),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [title, ...(lines.length === 0 ? ['  none'] : lines.map((line) => `  ${line}`))];
}

function attemptLines({ attempts }: DayHistory): string[] {
  return attempts.map((row) => {
    const seconds = row.upload_seconds ?? row.build_seconds ?? row.download_seconds;
    const took = row.finished_at === null || seconds === null ? '' : `, its last pass took ${formatSeconds(seconds)}`;
    const where = row.destination === '' ? '' : ` to ${row.destination}`;
    const why = row.error_message === null ? '' : `: ${row.error_message} (${row.error_type ?? row.stage})`;
    return `${instant(row.finished_at ?? row.started_at)} ${row.status}${where}${took}${why} [run ${row.run_id}]`;
  });
}

/** Who was at each stage, for how long, and how it ended; one without an end met a crash, unless it is at work. */
function passLines({ passes }: DayHistory): string[] {
  return passes.map(({ stage, pass, worker, beganAt, endedAt, outcome: end, detail }, index) => {
    const followed = passes.slice(index + 1).find((later) => later.stage === stage);
    const named = `${instant(beganAt)} ${stage}${pass === 1 ? '' : ` again (${pass})`} by ${worker}: `;
    if (endedAt !== null) {
      const seconds = (Date.parse(endedAt) - Date.parse(beganAt)) / 1000;
      return `${named}${end ?? 'ended'} after ${formatSeconds(seconds)}${detail === null ? '' : `: ${oneLine(detail)}`}`;
    }
    if (followed === undefined) return `${named}no word of its end: at work, or its worker was killed`;
    const goneS = (Date.parse(followed.beganAt) - Date.parse(beganAt)) / 1000;
    return `${named}never ended, as its worker was killed or cut off; taken up ${formatSeconds(goneS)} after it began`;
  });
}

/** Slice by slice: each request that brought nothing, how long until the next one left, and how it ended. */
function requestLines({ requestFailures, slices }: DayHistory): string[] {
  const bySlice = Map.groupBy(requestFailures, ({ startMs }) => startMs);
  return [...bySlice].flatMap(([startMs, failures]) => {
    const slice = slices.find((each) => each.startMs === startMs);
    const name = slice === undefined ? clock(startMs) : interval(slice);
    const told = failures.map((failure, index) => {
      const nextLeftMs = leftAt(failures[index + 1]) ?? (slice?.status === 'failed' ? null : leftAt(slice));
      return `${name} ${failureText(failure)}${waitText(failure, nextLeftMs)}`;
    });
    return slice === undefined ? told : [...told, `${name}   → ${outcome(slice)}`];
  });
}

function failureText({ endedAt, kind, detail, seconds, retryAfter }: RequestFailureRow): string {
  const asked = retryAfter === null ? '' : `, Retry-After ${retryAfter}`;
  const took = seconds === null ? '' : `, took ${formatSeconds(seconds)}`;
  return `${instant(endedAt)} ${kind}: ${oneLine(detail)}${asked}${took}`;
}

function waitText({ endedAt }: RequestFailureRow, nextLeftMs: number | null): string {
  if (nextLeftMs === null) return '';
  const waitMs = nextLeftMs - Date.parse(endedAt);
  return waitMs < 0 ? '' : `, asked again ${formatSeconds(waitMs / 1000)} later`;
}

/** When a request left: its end without its duration. Of a slice, the request that brought it. */
function leftAt(answered: RequestFailureRow | SliceRow | undefined): number | null {
  if (answered === undefined) return null;
  const end = 'endedAt' in answered ? answered.endedAt : answered.updatedAt;
  return Date.parse(end) - (answered.seconds ?? 0) * 1000;
}

function outcome(slice: SliceRow): string {
  if (slice.status === 'failed') return `failed (${slice.failures} failures)`;
  const took = slice.seconds === null ? '' : ` in ${formatSeconds(slice.seconds)}`;
  return `${slice.status}, HTTP ${slice.httpStatus ?? '–'}, ${formatCount(slice.records ?? 0)} records${took}`;
}

function sliceLines({ slices }: DayHistory, all: boolean): string[] {
  if (slices.length === 0) return [];
  const count = (status: SliceRow['status']): number => slices.filter((slice) => slice.status === status).length;
  const sum = (of: (slice: SliceRow) => number | null): number =>
    slices.reduce((total, row) => total + (of(row) ?? 0), 0);
  const totals =
    `${slices.length} slices: ${count('done')} done, ${count('empty')} empty, ${count('failed')} failed; ` +
    `${formatCount(sum(({ records }) => records))} records, ${formatBytes(sum(({ bytes }) => bytes))} of answers`;
  if (!all) return [`${totals} (--slices lists them)`];
  return [
    totals,
    ...slices.map((slice) => `${interval(slice)} ${outcome(slice)}${slice.sha256 === null ? '' : `, ${slice.sha256}`}`),
  ];
}

function fileLines({ files }: DayHistory): string[] {
  return files.map((file) => {
    const state = file.supersededAt
      ? `superseded ${instant(file.supersededAt)}`
      : file.releasedAt === undefined
        ? 'present'
        : `removed after delivery ${instant(file.releasedAt)}`;
    const made = file.inputSha256 === null ? '' : `, made from ${file.inputSha256}`;
    const as = [file.profile, file.version && `v${file.version}`].filter(Boolean).join(' ');
    return `${file.kind}${as === '' ? '' : ` (${as})`} ${file.path}: ${formatBytes(file.sizeBytes)}, ${formatCount(file.records)} records, SHA-256 ${file.sha256}${made}, ${instant(file.createdAt)}, ${state}`;
  });
}

function countLines({ counts, check }: DayHistory): string[] {
  const lines = counts.map(({ artifactSha256, records, distinctReadings, recordsPerSensor }) => {
    const sensors = Object.keys(recordsPerSensor).length;
    return `${formatCount(records)} records, ${formatCount(distinctReadings)} distinct readings, ${sensors} sensors in ${artifactSha256}`;
  });
  if (check === null) return lines;
  const counted = check.counted === null ? '' : `, the source counts ${formatCount(check.counted)}`;
  const why = check.reason === null ? '' : ` (${oneLine(check.reason)})`;
  const against = `${check.state}: ${formatCount(check.kept)} kept${counted}${why}`;
  return [...lines, `${instant(check.checkedAt)} compared with the source, ${against}`];
}

function deliveryLines({ deliveries }: DayHistory): string[] {
  return deliveries.map(
    ({ destination, key, sizeBytes, sha256, deliveredAt }) =>
      `${destination}/${key}: ${formatBytes(sizeBytes)}, SHA-256 ${sha256}, ${instant(deliveredAt)}`,
  );
}

function interval({ startMs, endMs }: SliceRow): string {
  return `${clock(startMs)}–${clock(endMs)}`;
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** To the second, as both notations of the ledger write it. */
function instant(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
