/** The slices of one day: what is done on disk, what failed in the ledger, both kept in step. */
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { Day } from '../../core/time/day.ts';
import { RAW_UNPROCESSED } from '../../ledger/ledger.ts';
import type { SliceRow } from '../../ledger/ledger.ts';
import type { SliceAnswer, SliceFailure } from '../../sources/udl/index.ts';
import type { SliceMode } from '../../core/backfill/types.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { PartFile } from './artifact-body.ts';
import { OWN_PART, ownPartPath } from './day-part.ts';
import { isKeptBody, keepBody, keptBodies } from './kept-body.ts';
import type { KnownSlice } from './reconcile.ts';
import { keepRejected, readSliceFile, sliceFileName, sliceHeader, writeSliceFile } from './slice-file.ts';
import type { Answered, SliceFile, SliceHeader } from './slice-file.ts';
import { Turns } from './turns.ts';
import type { Offer, SliceInHand } from './turns.ts';
import type { DownloadDependencies, DownloadRequest } from './types.ts';

/** Of an answer that is no data so much is kept for people. */
const REJECTED_BYTES = 64 << 10;

/** Failures of the source after which a slice is given up (UDL-22: one attempt and five retries). */
export const MOST_SLICE_FAILURES = 6;

/** An empty answer is no lasting truth, data may arrive late: an older one is asked for again. So is any answer for late data. */
const STAYS_MS = 24 * 3_600_000;

type Failed = Extract<SliceAnswer, { kind: 'failed' }>;

/** Folder of a day's slice files. */
export function sliceFolder(folders: DownloadDependencies['folders'], product: ProductSlug, day: Day): string {
  return join(folders.slices, ...product.split('/'), day);
}

/** Removes a day's slice files and kept wrong answers; to be called once its outcome is in the ledger. Idempotent. */
export async function discardSlices(
  folders: DownloadDependencies['folders'],
  product: ProductSlug,
  day: Day,
): Promise<void> {
  const folder = sliceFolder(folders, product, day);
  await rm(folder, { recursive: true, force: true });
  // Empty parents go too; one that another day uses stays.
  for (let parent = dirname(folder); parent.startsWith(folders.slices); parent = dirname(parent)) {
    const removed = await rmdir(parent).then(
      () => true,
      () => false,
    );
    if (!removed) break;
  }
}

type SliceDependencies = Pick<DownloadDependencies, 'ledger' | 'folders'>;

export class SliceStore {
  readonly #ledger: DownloadDependencies['ledger'];
  readonly #product: ProductSlug;
  readonly #day: Day;
  readonly #sliceMode: SliceMode;
  readonly #folder: string;
  /** Of all slices of the workspace. */
  readonly #root: string;
  readonly #slices: readonly Slice[];
  readonly #again: boolean;
  readonly #offline: boolean;
  /** By start. */
  readonly #done = new Map<number, SliceFile>();
  readonly #failures = new Map<number, number>();
  /** Slices whose latest answer was a failure, also one of an earlier run. */
  readonly #failedBefore = new Set<number>();
  /** Slices with a body that is kept because it could not be read. */
  readonly #unread = new Set<number>();
  #records = 0;
  #bytes = 0;
  readonly #turns: Turns;

  /** Takes over what is intact on disk; everything else of the day's folder is removed. */
  static async open(deps: SliceDependencies, request: DownloadRequest, slices: readonly Slice[]): Promise<SliceStore> {
    const store = new SliceStore(deps, request, slices);
    await mkdir(store.#folder, { recursive: true });
    await deps.ledger.retainSlices(request.product, request.day, slices);
    await store.#load(request.freshRun ?? false);
    return store;
  }

  private constructor(deps: SliceDependencies, request: DownloadRequest, slices: readonly Slice[]) {
    const { product, day, sliceMode } = request;
    this.#again = request.again ?? false;
    this.#offline = request.offline ?? false;
    this.#sliceMode = sliceMode;
    this.#root = deps.folders.slices;
    this.#ledger = deps.ledger;
    this.#product = product;
    this.#day = day;
    this.#folder = sliceFolder(deps.folders, product, day);
    this.#slices = slices;
    this.#turns = new Turns(slices, parseProductSlug(product).format, this.#done);
  }

  /** All slices of the day with what is kept of them, ascending. Only once nothing is missing. */
  get known(): KnownSlice[] {
    return this.#slices.map((slice) => {
      const { counts, outside } = this.#done.get(slice.startMs)!.header;
      return { slice, records: counts.records, outside };
    });
  }

  get total(): number {
    return this.#slices.length;
  }

  /** Slices without an intact file, ascending. */
  get missing(): Slice[] {
    return this.#slices.filter(({ startMs }) => !this.#done.has(startMs));
  }

  /**
   * What is missing, in the order to ask for it: what has not failed, then what has failed most often. A run of slices that
   * are bad for good then neither keeps the others from being asked for nor looks like a source that fails as a whole, and
   * its end comes after six passes over the same few.
   */
  get toAsk(): Slice[] {
    const failures = ({ startMs }: Slice): number => this.#failures.get(startMs) ?? 0;
    const [failed, fresh] = [true, false].map((before) =>
      this.missing.filter(({ startMs }) => this.#failedBefore.has(startMs) === before),
    ) as [Slice[], Slice[]];
    return [...fresh, ...failed.toSorted((a, b) => failures(b) - failures(a))];
  }

  /**
   * Slices whose answers tell best whether the source fails as a whole or only where it was asked of late: of those that have not
   * failed the one farthest from all that have; and the cheapest finished one, which brings nothing but was answered before.
   *
   * @returns null for both when nothing has failed
   */
  get witnesses(): { readonly fresh: Slice | null; readonly finished: Slice | null } {
    const failed = [...this.#failedBefore];
    if (failed.length === 0) return { fresh: null, finished: null };
    const distance = ({ startMs }: Slice): number => Math.min(...failed.map((other) => Math.abs(other - startMs)));
    const fresh = this.missing.filter(({ startMs }) => !this.#failedBefore.has(startMs));
    const withRecords = this.files.filter(({ header }) => header.counts.records > 0);
    const [cheapest] = withRecords.toSorted((a, b) => a.header.bodyBytes - b.header.bodyBytes);
    return {
      fresh: fresh.toSorted((a, b) => distance(b) - distance(a))[0] ?? null,
      finished: this.#slices.find(({ startMs }) => startMs === cheapest?.header.startMs) ?? null,
    };
  }

  /** Whether the slice is finished. */
  has({ startMs }: Slice): boolean {
    return this.#done.has(startMs);
  }

  /** Finished slices, ascending. */
  get files(): SliceFile[] {
    return this.#slices.flatMap(({ startMs }) => this.#done.get(startMs) ?? []);
  }

  /** Slices with records, ascending, each as soon as it is there. @throws the signal's reason */
  inOrder(signal: AbortSignal): AsyncGenerator<SliceFile | SliceInHand, void> {
    return this.#turns.inOrder(signal);
  }

  /** The day's file in the making of this process, and where finished slices stand in it. */
  get part(): PartFile {
    const path = ownPartPath(this.#folder);
    const isTaken = (start: number, end: number): boolean =>
      [...this.#done.values()].some(
        (file) => file.path === path && file.blockStart < end && start < file.blockStart + file.header.blockBytes,
      );
    return { path, isTaken };
  }

  get progress(): { slicesDone: number; slicesTotal: number; records: number; bytes: number } {
    return { slicesDone: this.#done.size, slicesTotal: this.total, records: this.#records, bytes: this.#bytes };
  }

  /** Most failures of any missing slice. */
  get mostFailures(): number {
    return Math.max(0, ...this.missing.map(({ startMs }) => this.#failures.get(startMs) ?? 0));
  }

  /**
   * Keeps a finished slice, in place of a former one: block and header on disk first, then the ledger's row.
   */
  async put(slice: Slice, answer: Answered): Promise<KnownSlice> {
    return await this.keep(slice, answer).kept;
  }

  /**
   * As `put`, where the caller need not wait for an answer that comes before its turn.
   *
   * @returns `isEarly`: the slice is kept once others are there, or `endWaiting` says that they will not be
   */
  keep(slice: Slice, answer: Answered): { isEarly: boolean; kept: Promise<KnownSlice> } {
    const header = sliceHeader({ product: this.#product, day: this.#day }, slice, answer);
    const block = answer.kind === 'data' ? answer.block : NOTHING;
    const offer = this.#turns.offer(header, block);
    return { isEarly: offer?.isEarly ?? false, kept: this.#keep(slice, header, block, offer) };
  }

  async #keep(slice: Slice, header: SliceHeader, block: Uint8Array, offer: Offer | null): Promise<KnownSlice> {
    try {
      return await this.#keepInTurn(slice, header, block, offer);
    } catch (error) {
      // It will not come any more.
      this.#turns.isLate(slice.startMs);
      throw error;
    }
  }

  async #keepInTurn(slice: Slice, header: SliceHeader, block: Uint8Array, offer: Offer | null): Promise<KnownSlice> {
    const partStart = offer && (await offer.place);
    let file: SliceFile;
    if (partStart === null) file = await writeSliceFile(this.#folder, header, block);
    else {
      crashPoint('slice-placed');
      file = await writeSliceFile(this.#folder, { ...header, part: OWN_PART, partStart }, NOTHING);
    }
    await this.#ledger.putSlice(this.#doneRow(header));
    crashPoint('slice-recorded');
    this.#take(file);
    return { slice, records: header.counts.records, outside: header.outside };
  }

  /** No more answers will come: those that wait for one are kept by themselves. */
  endWaiting(): void {
    this.#turns.endWaiting();
  }

  /** Remembers a request that brought nothing, a pause that was asked for included. */
  async noteFailure(slice: Slice, { failure, httpStatus, seconds, endedAtMs }: Failed, host: string): Promise<void> {
    this.#turns.isLate(slice.startMs);
    await this.#ledger.putRequestFailure({
      product: this.#product,
      day: this.#day,
      startMs: slice.startMs,
      endedAt: new Date(endedAtMs).toISOString(),
      host,
      kind: failure.kind,
      httpStatus,
      retryAfter: failure.retryAfter,
      detail: failure.detail,
      seconds,
    });
  }

  /**
   * Keeps a failure of the source.
   *
   * @param asked - the slice, or the part of it whose answer failed
   * @returns how often this slice has failed now
   */
  async fail(
    slice: Slice,
    { failure, httpStatus, bodyBytes, seconds, endedAtMs }: Failed,
    asked = slice,
  ): Promise<number> {
    const failures = (this.#failures.get(slice.startMs) ?? 0) + 1;
    this.#failures.set(slice.startMs, failures);
    this.#failedBefore.add(slice.startMs);
    const note = await this.#keepBody(slice, asked, failure, httpStatus, failures);
    await this.#ledger.putSlice({
      product: this.#product,
      day: this.#day,
      startMs: slice.startMs,
      endMs: slice.endMs,
      status: 'failed',
      httpStatus,
      records: null,
      bytes: bodyBytes,
      sha256: null,
      failures,
      errorKind: this.#unread.has(slice.startMs) ? RAW_UNPROCESSED : failure.kind,
      errorDetail: note === null ? failure.detail : withNote(failure.detail, note),
      seconds,
      updatedAt: new Date(endedAtMs).toISOString(),
    });
    return failures;
  }

  /** @returns where, in words */
  async #keepBody(
    slice: Slice,
    asked: Slice,
    { body, detail }: SliceFailure,
    httpStatus: number | null,
    number: number,
  ): Promise<string | null> {
    if (body === null) return null;
    const { startMs, endMs } = slice;
    if (body.mayBeData) {
      const fetchedAt = new Date().toISOString();
      const own = { product: this.#product, day: this.#day, sliceMode: this.#sliceMode };
      const facts = { ...own, startMs, endMs, asked, httpStatus, why: detail, fetchedAt };
      const path = await keepBody(this.#folder, this.#root, facts, body);
      if (path !== null) {
        this.#unread.add(startMs);
        return `kept whole in ${path}`;
      }
    }
    return `start kept in ${await keepRejected(this.#folder, slice, number, body.bytes.subarray(0, REJECTED_BYTES))}`;
  }

  async #load(freshRun: boolean): Promise<void> {
    const rows = new Map((await this.#ledger.slices(this.#product, this.#day)).map((row) => [row.startMs, row]));
    for (const { startMs, status } of rows.values()) if (status === 'failed') this.#failedBefore.add(startMs);
    for (const startMs of this.#failedBefore) this.#turns.isLate(startMs);
    // A slice at its limit ended the run before, or the source as a whole failed: it begins anew.
    const isSpent = [...rows.values()].some((row) => row.status === 'failed' && row.failures >= MOST_SLICE_FAILURES);
    if (freshRun || (isSpent && !this.#offline)) {
      await this.#ledger.resetSliceFailures(this.#product, this.#day);
    } else for (const row of rows.values()) this.#failures.set(row.startMs, row.failures);
    for (const { header } of await keptBodies(this.#folder)) this.#unread.add(header.startMs);
    const names = new Set(await readdir(this.#folder));
    for (const slice of this.#slices) {
      const name = sliceFileName(slice);
      if (!names.delete(name)) continue;
      const file = await readSliceFile(join(this.#folder, name));
      if (!file || !this.#isUsable(file.header, slice)) {
        names.add(name);
        continue;
      }
      this.#take(file);
      const row = rows.get(slice.startMs);
      if (row?.sha256 !== file.header.sha256) await this.#ledger.putSlice(this.#doneRow(file.header));
    }
    for (const { header } of this.files) if (header.part !== undefined) names.delete(header.part);
    // Torn files, leftovers of a kill, slices of another mode.
    const leftovers = [...names].filter((name) => !name.endsWith('.rejected') && !isKeptBody(name));
    await Promise.all(leftovers.map((name) => rm(join(this.#folder, name), { force: true })));
  }

  #isUsable(header: SliceHeader, { startMs, endMs }: Slice): boolean {
    const isOurs =
      header.version === 1 &&
      header.product === this.#product &&
      header.day === this.#day &&
      header.startMs === startMs &&
      header.endMs === endMs;
    const isYoung = Date.now() - Date.parse(header.fetchedAt) < STAYS_MS;
    const isFresh = isYoung || this.#offline || (header.counts.records > 0 && !this.#again);
    return isOurs && isFresh;
  }

  #take(file: SliceFile): void {
    const former = this.#done.get(file.header.startMs)?.header;
    this.#records -= former?.counts.records ?? 0;
    this.#bytes -= former?.bodyBytes ?? 0;
    this.#done.set(file.header.startMs, file);
    this.#records += file.header.counts.records;
    this.#bytes += file.header.bodyBytes;
    this.#turns.finished(file.header.startMs);
  }

  #doneRow(header: SliceHeader): SliceRow {
    return rowOfSlice(header, this.#failures.get(header.startMs) ?? 0);
  }
}

/** The ledger's row of a finished slice. */
export function rowOfSlice(header: SliceHeader, failures: number): SliceRow {
  return {
    product: header.product,
    day: header.day,
    startMs: header.startMs,
    endMs: header.endMs,
    status: header.counts.records > 0 ? 'done' : 'empty',
    httpStatus: header.httpStatus,
    records: header.counts.records,
    bytes: header.bodyBytes,
    sha256: header.sha256,
    failures,
    errorKind: null,
    errorDetail: null,
    seconds: header.seconds,
    updatedAt: header.fetchedAt,
    outside: header.outside,
  };
}

const NOTHING = new Uint8Array();
/** `SliceRow.errorDetail` holds at most this many characters. */
const LONGEST_DETAIL = 1_000;

function withNote(detail: string, note: string): string {
  const suffix = ` [${note}]`;
  return detail.slice(0, LONGEST_DETAIL - suffix.length) + suffix;
}
