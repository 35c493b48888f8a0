/**
 * A day that is done, looked at again: has the source more (or less) of it by now? One question when nothing has changed. Else
 * the slices that differ are fetched, and the day's file is put together anew from them and from its own former content.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactFileName, parseProductSlug } from '../../core/product.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import { daySlices } from '../../core/slices.ts';
import type { Slice } from '../../core/slices.ts';
import { SOFTWARE } from '../../core/version.ts';
import type { SliceRow } from '../../ledger/ledger.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { writeManifest } from '../../storage/manifest.ts';
import type { DownloadManifest } from '../../storage/manifest.ts';
import { assembleArtifact, findIntactArtifact, unionOfColumns } from './artifact.ts';
import { locateSlices } from './locate-slices.ts';
import { rangeOf } from './reconcile.ts';
import type { KnownSlice } from './reconcile.ts';
import { sliceHeader, writeSliceFile } from './slice-file.ts';
import type { SliceFile } from './slice-file.ts';
import { rowOfSlice, sliceFolder } from './slice-store.ts';
import { SourceQuestions } from './source-questions.ts';
import type { DownloadDependencies, DownloadHooks, DownloadOutcome, DownloadRequest } from './types.ts';
import { verify } from './verify.ts';

export interface RecheckRequest extends DownloadRequest {
  /** The day's file as recorded: its records and its hash. */
  readonly records: number;
  readonly sha256: string;
  /** Counts a file by reading it. */
  readonly recount: (path: string, format: ArtifactFormat, signal?: AbortSignal) => Promise<RecordCounts>;
}

type Done = Extract<DownloadOutcome, { outcome: 'done' }>;

export type RecheckOutcome =
  | {
      readonly outcome: 'same';
      readonly check: SourceCheck;
      readonly requests: number;
      readonly rows: readonly SliceRow[];
    }
  /** The file was put together anew; `rows` go into the ledger with it. */
  | {
      readonly outcome: 'changed';
      readonly done: Done;
      readonly rows: readonly SliceRow[];
    }
  /** It has changed, but cannot be put together from what is here: the day is to be downloaded again. */
  | { readonly outcome: 'download'; readonly requests: number }
  /** What is known of the day does not allow a comparison, or the source does not count. */
  | { readonly outcome: 'unknown'; readonly reason: string; readonly requests: number };

/**
 * Touches no file of the day unless its content changes; what was fetched stays among the slices until the caller has recorded
 * the outcome and calls `discardSlices`.
 *
 * @throws PipelineError `source_unavailable` when the source owes an answer and may be asked again; what the gate throws
 */
export async function recheckDay(
  deps: DownloadDependencies,
  request: RecheckRequest,
  { signal }: DownloadHooks = {},
): Promise<RecheckOutcome> {
  const product = parseProductSlug(request.product);
  const path = join(deps.folders.downloads, artifactFileName(product, request.day));
  const manifest = await findIntactArtifact(path, request);
  const sliceMode = manifest?.sliceMode ?? request.sliceMode;
  const slices = daySlices(request.day, product.sensor, sliceMode);
  const rows = new Map((await deps.ledger.slices(request.product, request.day)).map((row) => [row.startMs, row]));
  const known = baseline(slices, manifest, rows, request.records);
  let requests = request.requestsBefore ?? 0;
  if (known === null) return { outcome: 'unknown', reason: 'how many records each slice had is not known', requests };

  if (manifest && manifest.sha256 !== request.sha256) {
    // An earlier look was ended between the file and its row.
    const stale = known.filter(({ slice, records }) => rows.get(slice.startMs)?.records !== records);
    const healed = stale.flatMap(({ slice, records }) => {
      const row = rows.get(slice.startMs);
      return row ? [{ ...row, records, sha256: null }] : [];
    });
    return { outcome: 'changed', done: { ...doneOf(path, manifest, requests), adopted: true }, rows: healed };
  }

  const questions = new SourceQuestions(deps, product, { signal, onRequest: () => (requests += 1) });
  const folder = sliceFolder(deps.folders, request.product, request.day);
  const fetched = new Map<number, SliceFile>();
  const fetch = async (slice: Slice): Promise<KnownSlice> => {
    const answer = await questions.slice(slice);
    const header = sliceHeader(request, slice, answer);
    await mkdir(folder, { recursive: true });
    const block = answer.kind === 'data' ? answer.block : new Uint8Array();
    fetched.set(slice.startMs, await writeSliceFile(folder, header, block));
    if (answer.kind === 'data') deps.source.recycle(answer.block);
    return { slice, records: header.counts.records, outside: header.outside };
  };
  let first = true;
  const count = async (range: Slice): Promise<number> => {
    const records = await questions.count(range);
    const isAll = first;
    first = false;
    if (isAll && (await isWithdrawn(records, known, count, fetch))) throw new Withdrawn();
    return records;
  };
  const looked = await verify(deps, request, known, { count, fetch }, false).catch((error: unknown) => {
    if (error instanceof Withdrawn) return null;
    throw error;
  });
  const left = known.reduce(
    (sum, { slice, records }) => sum + (fetched.get(slice.startMs)?.header.counts.records ?? records),
    0,
  );
  if (looked === null || (left === 0 && request.records > 0)) return { ...withdrawn(request), requests };
  const { check } = looked;
  if (check.state === 'uncounted') return { outcome: 'unknown', reason: check.reason ?? '', requests };

  const newRows = [...fetched.values()].map(({ header }) => rowOfSlice(header, 0));
  const changed = newRows.filter((row) => {
    const former = rows.get(row.startMs);
    return former?.sha256 !== row.sha256 || former.records !== row.records;
  });
  if (changed.length === 0) return { outcome: 'same', check, requests, rows: newRows };
  const files = manifest && (await filesOf(path, product.format, known, manifest, fetched, signal));
  if (!manifest || !files) return { outcome: 'download', requests };

  const present = files.filter(({ header }) => header.counts.records > 0);
  const columns = unionOfColumns(present);
  const digest = await assembleArtifact({ path, log: deps.log }, product.format, present, columns, signal);
  crashPoint('recheck-renamed');
  const renewed: DownloadManifest = {
    ...manifest,
    ...digest,
    writer: SOFTWARE.reach,
    counts: await request.recount(path, product.format, signal),
    columns,
    emptySlices: slices.length - present.length,
    sliceRecords: files.map(({ header }) => header.counts.records),
    outsideEnd: fetched.get(slices.at(-1)!.startMs)?.header.outside ?? known.at(-1)!.outside,
    check,
  };
  await writeManifest(path, renewed);
  crashPoint('recheck-manifest');
  return { outcome: 'changed', done: doneOf(path, renewed, requests), rows: newRows };
}

/** The source has nothing of a day that has records. */
class Withdrawn extends Error {}

/**
 * Whether nothing of the day is left, in three questions where finding out slice by slice would take hundreds.
 *
 * @param counted - of the day and what lies at its end
 */
async function isWithdrawn(
  counted: number,
  known: readonly KnownSlice[],
  count: (range: Slice) => Promise<number>,
  fetch: (slice: Slice) => Promise<KnownSlice>,
): Promise<boolean> {
  const last = known.at(-1)!;
  const hadRecords = known.some(({ records }) => records > 0);
  if (!hadRecords || counted > last.outside) return false;
  if (counted === 0) return true;
  const before = known.length > 1 ? await count(rangeOf(known.slice(0, -1))) : 0;
  return before === 0 && (await fetch(last.slice)).records === 0;
}

/** Kept, and told: what a source no longer gives, by mistake or on purpose, must not empty a product by itself (ADR 0020). */
function withdrawn({ records }: RecheckRequest): Extract<RecheckOutcome, { outcome: 'same' }> {
  const at = new Date().toISOString();
  const reason = `the source has nothing of the day any more; the ${records} records that it gave are kept`;
  const check: SourceCheck = { state: 'differs', kept: records, counted: 0, reason, checkedAt: at, askedAt: at };
  return { outcome: 'same', check, requests: 0, rows: [] };
}

function doneOf(path: string, manifest: DownloadManifest, requests: number): Done {
  const { sizeBytes, sha256, counts, columns, slices, emptySlices, outsideSlice, check = null } = manifest;
  const facts = { sizeBytes, sha256, counts, columns, slices, emptySlices, outsideSlice };
  return { outcome: 'done', path, requests, adopted: false, check, ...facts };
}

/** What each slice had: by the manifest of an intact file, else by the ledger; null when neither adds up to the day. */
function baseline(
  slices: readonly Slice[],
  manifest: DownloadManifest | null,
  rows: ReadonlyMap<number, SliceRow>,
  records: number,
): KnownSlice[] | null {
  const byManifest = manifest?.sliceRecords?.length === slices.length ? manifest.sliceRecords : null;
  const last = slices.length - 1;
  const known = slices.map((slice, index) => {
    const row = rows.get(slice.startMs);
    const outside = index === last ? (manifest?.outsideEnd ?? row?.outside) : row?.outside;
    return { slice, records: byManifest?.[index] ?? row?.records ?? Number.NaN, outside: outside ?? 0 };
  });
  const total = known.reduce((sum, each) => sum + each.records, 0);
  return known.length > 0 && total === (manifest?.counts.records ?? records) ? known : null;
}

/** The day's slices: those fetched now, the others where they stand in the former file. */
async function filesOf(
  path: string,
  format: ArtifactFormat,
  known: readonly KnownSlice[],
  manifest: DownloadManifest,
  fetched: ReadonlyMap<number, SliceFile>,
  signal: AbortSignal | undefined,
): Promise<SliceFile[] | null> {
  const records = known.map((each) => each.records);
  const places = await locateSlices(path, format, records, signal);
  return (
    places &&
    known.map(({ slice }, index) => {
      const { start, bytes } = places[index]!;
      const counts = { records: records[index]!, distinctReadings: 0, recordsPerSensor: {} };
      return (
        fetched.get(slice.startMs) ?? {
          path,
          blockStart: start,
          isPart: true,
          header: {
            version: 1,
            product: manifest.product,
            day: manifest.day,
            startMs: slice.startMs,
            endMs: slice.endMs,
            columns: manifest.columns,
            counts,
            outside: 0,
            httpStatus: null,
            bodyBytes: bytes,
            seconds: 0,
            fetchedAt: new Date(0).toISOString(),
            blockBytes: bytes,
            sha256: '',
          },
        }
      );
    })
  );
}
