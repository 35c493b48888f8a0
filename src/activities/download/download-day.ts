import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import type { ErrorContext } from '../../core/errors.ts';
import { artifactFileName, artifactPrefix, parseProductSlug } from '../../core/product.ts';
import type { Product } from '../../core/product.ts';
import { backoffMs } from '../../core/rate/breaker.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import { daySlices } from '../../core/slices.ts';
import type { Slice } from '../../core/slices.ts';
import { addDays, dayStartMs } from '../../core/time/day.ts';
import { SOFTWARE } from '../../core/version.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { writeManifest } from '../../storage/manifest.ts';
import type { DownloadManifest } from '../../storage/manifest.ts';
import type { BodyDigest } from './artifact-body.ts';
import { assembleArtifact, assembleMeanwhile, findIntactArtifact, publishPart, unionOfColumns } from './artifact.ts';
import { claimPart } from './day-part.ts';
import { runPass, storageError } from './pass.ts';
import type { PassResult } from './pass.ts';
import type { KnownSlice } from './reconcile.ts';
import { interval, oldestFetch } from './slice-file.ts';
import { SliceStore } from './slice-store.ts';
import { SourceQuestions } from './source-questions.ts';
import { sumOfCounts } from './sum-of-counts.ts';
import type { DownloadDependencies, DownloadHooks, DownloadOutcome, DownloadRequest } from './types.ts';
import { verify } from './verify.ts';
import type { Verified } from './verify.ts';

const PROGRESS_EVERY_MS = 1_000;
/** Slices that are younger were fetched for this try of the day. */
const FRESH_MS = 24 * 3_600_000;

/** Requests sent, those of earlier calls included. */
export interface RequestCount {
  requests: number;
}

/**
 * Downloads what is missing of one day in one pass, and puts the artifact together when nothing is missing any more.
 *
 * Idempotent: an intact artifact with its manifest is reported without a request, intact slice files are taken over. The
 * caller records the outcome and then calls `discardSlices`.
 *
 * @throws PipelineError, with `context.requests` as the outcome has it: `source_unavailable` with `retryAfterMs` when slices are missing after the pass; `rate_limited`
 *   likewise for pauses above two minutes; `slice_exhausted` when a slice alone has failed six times or was rejected for good;
 *   `source_aborted` and `auth_rejected` when the gate is shut (`context.incident`); `disk_full`; `path_owned`
 * @throws the signal's reason when it is aborted
 */
export async function downloadDay(
  deps: DownloadDependencies,
  request: DownloadRequest,
  hooks: DownloadHooks = {},
): Promise<DownloadOutcome> {
  const sent: RequestCount = { requests: request.requestsBefore ?? 0 };
  try {
    return await download(deps, request, hooks, sent);
  } catch (error) {
    throw withRequests(storageError(error), sent);
  }
}

function withRequests(error: unknown, { requests }: RequestCount): unknown {
  return isPipelineError(error) ? enriched(error, error.message, { ...error.context, requests }) : error;
}

/** The same error with another text or more context. */
function enriched(error: PipelineError, message: string, context: ErrorContext): PipelineError {
  const { kind, hint, retryAfterMs } = error;
  return new PipelineError(kind, message, {
    context,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: error,
  });
}

async function download(
  deps: DownloadDependencies,
  request: DownloadRequest,
  hooks: DownloadHooks,
  sent: RequestCount,
): Promise<DownloadOutcome> {
  const product = parseProductSlug(request.product);
  const path = join(deps.folders.downloads, artifactFileName(product, request.day));
  const intact = await findIntactArtifact(path, request);
  if (intact && request.again !== true) return { outcome: 'done', path, ...sent, adopted: true, ...facts(intact) };

  const store = await SliceStore.open(deps, request, daySlices(request.day, product.sensor, request.sliceMode));
  const assembled = await complete(deps, product, store, hooks, sent, path);
  const verified = request.verify === true ? await compare(deps, request, product, store, hooks, sent) : null;
  const check = verified?.check ?? null;
  const isOutdated = assembled !== null && verified !== null && verified.fetched > 0;
  // Ours, without a manifest yet: nobody knows it.
  if (isOutdated) await rm(path, { force: true });
  const made = { path, intact, assembled: isOutdated ? null : assembled, check };
  return await putTogether(deps, request, store, made, sent, hooks.signal);
}

/** What there is of a day whose slices are all finished. */
export interface Made {
  readonly path: string;
  /** The file at the path, when it is whole. */
  readonly intact: DownloadManifest | null;
  /** The file at the path was put together from these slices a moment ago. */
  readonly assembled: BodyDigest | null;
  readonly check: SourceCheck | null;
}

/** The day's file and its manifest from slices that are all there. */
export async function putTogether(
  { log }: Pick<DownloadDependencies, 'log'>,
  request: DownloadRequest,
  store: SliceStore,
  { path, intact, assembled, check }: Made,
  sent: RequestCount,
  signal: AbortSignal | undefined,
): Promise<DownloadOutcome> {
  const product = parseProductSlug(request.product);
  const files = store.files.filter(({ header }) => header.counts.records > 0);
  if (files.length === 0)
    return { outcome: 'no_data', reason: noData(product, request), slices: store.total, ...sent, check };

  const columns = unionOfColumns(files);
  const { sizeBytes, sha256 } =
    assembled ?? (await assembleArtifact({ path, log }, product.format, files, columns, signal));
  // The same content: file and manifest stay as they are.
  if (intact?.sha256 === sha256) return { outcome: 'done', path, ...sent, adopted: true, ...facts(intact), check };
  const manifest: DownloadManifest = {
    manifestVersion: 1,
    kind: 'download',
    product: request.product,
    day: request.day,
    file: artifactFileName(product, request.day),
    sizeBytes,
    sha256,
    writer: SOFTWARE.reach,
    counts: sumOfCounts(files.map(({ header }) => header.counts)),
    columns,
    sliceMode: request.sliceMode,
    slices: store.total,
    emptySlices: store.total - files.length,
    outsideSlice: store.files.reduce((sum, { header }) => sum + header.outside, 0),
    sliceRecords: store.known.map(({ records }) => records),
    outsideEnd: store.known.at(-1)?.outside ?? 0,
    ...(check && { check }),
  };
  crashPoint('download-renamed');
  await writeManifest(path, manifest);
  crashPoint('download-manifest');
  return { outcome: 'done', path, ...sent, adopted: false, ...facts(manifest) };
}

export function facts({
  sizeBytes,
  sha256,
  counts,
  columns,
  slices,
  emptySlices,
  outsideSlice,
  check,
}: DownloadManifest) {
  return { sizeBytes, sha256, counts, columns, slices, emptySlices, outsideSlice, check: check ?? null };
}

/**
 * Asks for what is missing, and puts the artifact together meanwhile as far as slices follow each other.
 *
 * @returns null when the artifact is still to be made, now that all slices are there
 */
async function complete(
  deps: DownloadDependencies,
  product: Product,
  store: SliceStore,
  hooks: DownloadHooks,
  sent: RequestCount,
  path: string,
): Promise<BodyDigest | null> {
  if (store.missing.length === 0) return null;
  const giveUp = new AbortController();
  const signal = hooks.signal ? AbortSignal.any([hooks.signal, giveUp.signal]) : giveUp.signal;
  const release = claimPart(store.part.path);
  const assembling = release
    ? assembleMeanwhile(store.part, product.format, store.inOrder(signal), signal)
    : Promise.resolve(null);
  // A failed pass is told by the pass; what else went wrong is told when it is awaited.
  assembling.catch(() => undefined);
  try {
    await askForMissing(deps, product, store, hooks, sent);
    const digest = await assembling;
    return digest && (await publishPart({ path, log: deps.log }, store.part, digest));
  } catch (error) {
    giveUp.abort(error);
    await assembling.catch(() => undefined);
    throw error;
  } finally {
    release?.();
  }
}

/** One pass with progress. @throws when slices are missing after it */
async function askForMissing(
  deps: DownloadDependencies,
  product: Product,
  store: SliceStore,
  hooks: DownloadHooks,
  sent: RequestCount,
): Promise<void> {
  await withProgress(deps, store, hooks, sent, async (tell) => {
    const result = await runPass(deps, product, store, {
      signal: hooks.signal,
      onRequest: () => (sent.requests += 1),
      onSlice: tell,
    });
    if (result.lastFailure !== null && !isAnswered(store)) deps.gate.failPass();
    const problem = problemAfter(result, store, deps);
    if (problem) throw problem;
  });
}

/** Compares a day whose slices are all there with the source's count; slices that differ are fetched again. */
async function compare(
  deps: DownloadDependencies,
  request: DownloadRequest,
  product: Product,
  store: SliceStore,
  hooks: DownloadHooks,
  sent: RequestCount,
): Promise<Verified> {
  const onRequest = (): void => void (sent.requests += 1);
  const questions = new SourceQuestions(deps, product, { signal: hooks.signal, onRequest });
  const fetch = async (slice: Slice): Promise<KnownSlice> => {
    const answer = await questions.slice(slice);
    const known = await store.put(slice, answer);
    if (answer.kind === 'data') deps.source.recycle(answer.block);
    return known;
  };
  const isFresh = Date.now() - Date.parse(oldestFetch(store.files)) < FRESH_MS;
  const verified = await withProgress(deps, store, hooks, sent, () =>
    verify(deps, request, store.known, { count: (range) => questions.count(range), fetch }, isFresh),
  );
  const { check, fetched } = verified;
  // Slices of an earlier try may be days old: a day that nobody counted is no fresher than they are (SAFE-13).
  return check.state === 'uncounted' ? { check: { ...check, checkedAt: oldestFetch(store.files) }, fetched } : verified;
}

/** Tells how far the day is at the beginning, every second, and at the end. */
async function withProgress<T>(
  { gate }: DownloadDependencies,
  store: SliceStore,
  { onProgress }: DownloadHooks,
  sent: RequestCount,
  work: (tell: () => void) => Promise<T>,
): Promise<T> {
  const tell = (): void => {
    const { rate, cooldown } = gate.snapshot();
    const waiting = cooldown && { until: new Date(cooldown.untilMs).toISOString(), why: cooldown.why };
    onProgress?.({ ...store.progress, ...sent, rate, ...(waiting && { waiting }) });
  };
  tell();
  const ticker = setInterval(tell, PROGRESS_EVERY_MS);
  try {
    return await work(tell);
  } finally {
    clearInterval(ticker);
    tell();
  }
}

/**
 * Whether the source has answered for the day. When it has not, failures are not the slices' own: passes go on until the gate
 * has counted six of them and stops the run. A slice fails at most once in each, so that one with six failures has seen
 * a success elsewhere between them, unless the process that counted the passes is gone.
 */
function isAnswered({ missing, total }: SliceStore): boolean {
  return missing.length < total;
}

/** Why the day is not complete after a pass: what stops the run first, then what ends the day, then what may be tried again. */
function problemAfter(result: PassResult, store: SliceStore, { gate }: DownloadDependencies): Error | null {
  const { stopped, lastFailure } = result;
  const { missing } = store;
  if (missing.length === 0) return null;
  if (stopped && (!isPipelineError(stopped) || stopped.retry !== 'later')) return withEvidence(stopped, lastFailure);
  const refusal = gate.refusal();
  if (refusal?.retry === 'stop_run') return withEvidence(refusal, lastFailure);
  if (result.exhausted.length > 0 && (isAnswered(store) || gate.snapshot().hasSucceeded)) {
    return exhausted(result, store);
  }
  if (stopped) return withEvidence(stopped, lastFailure);
  const waitMs = backoffMs(gate.config.passWaitMs, Math.max(1, store.mostFailures), Math.random());
  return new PipelineError(
    'source_unavailable',
    `${missing.length} of ${store.total} slices are missing after this pass; the latest failure: ${lastFailure ?? 'none'}`,
    {
      retryAfterMs: Math.ceil(Math.max(waitMs, refusal?.retryAfterMs ?? 0)),
      hint: 'Nothing to do: the next pass asks for the missing slices alone.',
    },
  );
}

function exhausted({ exhausted: slices, lastFailure }: PassResult, { total }: SliceStore): PipelineError {
  const names = slices.slice(0, 3).map(interval).join(', ');
  const more = slices.length > 3 ? ` and ${slices.length - 3} more` : '';
  return new PipelineError(
    'slice_exhausted',
    `${slices.length} of ${total} slices failed as often as they may (${names}${more}); the latest failure: ${lastFailure}`,
    {
      hint: 'Finished slices are kept. When the source is well, run with --retry-failed: only missing slices are asked for.',
    },
  );
}

/** The gate's word with what led to it. */
function withEvidence(error: Error, lastFailure: string | null): Error {
  if (!isPipelineError(error) || lastFailure === null || error.message.includes(lastFailure)) return error;
  return enriched(error, `${error.message} The latest failure: ${lastFailure}`, error.context);
}

function noData(product: Product, { day }: DownloadRequest): string {
  const [start, end] = [day, addDays(day, 1)].map((each) => new Date(dayStartMs(each)).toISOString());
  return `The source has no ${product.descriptor} records of ${artifactPrefix(product)} between ${start} and ${end}.`;
}
