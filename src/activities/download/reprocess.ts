/**
 * A day from what is kept of it: finished slices, and bodies that an earlier version could not read (TRACK-10), read with what
 * this version can. The source is not asked.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { artifactFileName, parseProductSlug } from '../../core/product.ts';
import type { ArtifactFormat, ProductSlug } from '../../core/product.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import { daySlices } from '../../core/slices.ts';
import type { Slice } from '../../core/slices.ts';
import type { Day } from '../../core/time/day.ts';
import { readKeptBody } from '../../sources/udl/index.ts';
import type { KeptAnswer } from '../../sources/udl/index.ts';
import { findIntactArtifact } from './artifact.ts';
import { mayBeCut } from './capped-slice.ts';
import { facts, putTogether } from './download-day.ts';
import { bodyOf, keptBodies } from './kept-body.ts';
import type { KeptBody } from './kept-body.ts';
import { interval, oldestFetch, sliceFileName } from './slice-file.ts';
import { SliceStore, sliceFolder } from './slice-store.ts';
import type { DownloadDependencies, DownloadHooks, DownloadOutcome, DownloadRequest } from './types.ts';

type OfflineDependencies = Pick<DownloadDependencies, 'ledger' | 'folders' | 'log'>;

/**
 * The day's file from what is kept. Does nothing to bodies: they go with the slices when the outcome is recorded.
 *
 * @throws PipelineError `slice_exhausted` when slices are neither finished nor readable
 */
export async function reprocessDay(
  deps: OfflineDependencies,
  request: DownloadRequest,
  { signal }: DownloadHooks = {},
): Promise<DownloadOutcome> {
  const product = parseProductSlug(request.product);
  const path = join(deps.folders.downloads, artifactFileName(product, request.day));
  const intact = await findIntactArtifact(path, request);
  const sent = { requests: request.requestsBefore ?? 0 };
  if (intact) return { outcome: 'done', path, ...sent, adopted: true, ...facts(intact) };

  const slices = daySlices(request.day, product.sensor, request.sliceMode);
  const store = await SliceStore.open(deps, { ...request, offline: true }, slices);
  const bodies = await keptBodies(sliceFolder(deps.folders, request.product, request.day));
  const problems: string[] = [];
  for (const slice of store.missing) {
    signal?.throwIfAborted();
    const problem = await readSlice(store, slice, bodies, product.format);
    if (problem !== null) problems.push(`${interval(slice)}: ${problem}`);
    else deps.log?.info({ slice: interval(slice) }, 'slice made from a kept answer');
  }
  if (problems.length > 0) throw stillMissing(problems, store);
  const check = notCompared(store);
  return await putTogether(deps, request, store, { path, intact, assembled: null, check }, sent, signal);
}

/** @returns why the slice cannot be had; null when it is finished now */
async function readSlice(
  store: SliceStore,
  slice: Slice,
  bodies: readonly KeptBody[],
  format: ArtifactFormat,
): Promise<string | null> {
  let why = 'nothing is kept of it';
  for (const body of bodies.filter(({ header }) => header.startMs === slice.startMs)) {
    const answer = await readBody(body, slice, format);
    if (answer.kind === 'unreadable') {
      why = answer.why;
      continue;
    }
    const { httpStatus, bytes: bodyBytes, fetchedAt } = body.header;
    await store.put(slice, { ...answer, httpStatus, bodyBytes, seconds: 0, endedAtMs: Date.parse(fetchedAt) });
    return null;
  }
  return why;
}

async function readBody(body: KeptBody, slice: Slice, format: ArtifactFormat): Promise<KeptAnswer> {
  const { asked, endMs, encoding } = body.header;
  if (endMs !== slice.endMs || asked.queryStartMs !== slice.queryStartMs || asked.queryEndMs !== slice.queryEndMs) {
    return { kind: 'unreadable', why: 'what is kept answers a part of it' };
  }
  const bytes = await bodyOf(body);
  if (bytes === null) return { kind: 'unreadable', why: `${body.path} is damaged` };
  const answer = await readKeptBody(bytes, encoding, slice, format);
  if (answer.kind !== 'data') return answer;
  const received = answer.counts.records + answer.outside;
  return mayBeCut(received, 0)
    ? { kind: 'unreadable', why: `it has ${received} records, which may not be all` }
    : answer;
}

function stillMissing(problems: readonly string[], { total }: SliceStore): PipelineError {
  const some = problems.slice(0, 3).join('; ');
  const more = problems.length > 3 ? ` and ${problems.length - 3} more` : '';
  return new PipelineError(
    'slice_exhausted',
    `${problems.length} of ${total} slices cannot be made from what is kept (${some}${more})`,
    { hint: 'What is kept stays. To ask the source for them: run with --retry-failed.' },
  );
}

/** As old as its oldest part: later looks go by that. */
function notCompared({ files }: SliceStore): SourceCheck {
  const at = oldestFetch(files);
  const kept = files.reduce((sum, { header }) => sum + header.counts.records, 0);
  const reason = 'put together from kept answers, without asking the source';
  return { state: 'uncounted', kept, counted: null, reason, checkedAt: at, askedAt: at };
}

/** Whether a day could be completed now. */
export interface KeptDay {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly bodies: readonly {
    readonly body: KeptBody;
    /** Why it cannot be read; null when it can be. */
    readonly problem: string | null;
  }[];
  /** Slices that are neither finished nor readable. */
  readonly missing: number;
}

/** Looks and writes nothing. @param bodies - of one day, at least one */
export async function surveyKeptDay(
  folders: DownloadDependencies['folders'],
  bodies: readonly KeptBody[],
): Promise<KeptDay> {
  const [{ header: first }] = bodies as [KeptBody];
  const { product, day, sliceMode } = first;
  const { sensor, format } = parseProductSlug(product);
  const slices = daySlices(day, sensor, sliceMode);
  const names = new Set(await readdir(sliceFolder(folders, product, day)).catch(() => []));
  const done = new Set(slices.filter((slice) => names.has(sliceFileName(slice))).map(({ startMs }) => startMs));
  const looked = [];
  for (const body of bodies) {
    const slice = slices.find(({ startMs }) => startMs === body.header.startMs);
    const answer: KeptAnswer = slice
      ? await readBody(body, slice, format)
      : { kind: 'unreadable', why: 'the day has no such slice' };
    if (slice && answer.kind !== 'unreadable') done.add(slice.startMs);
    looked.push({ body, problem: answer.kind === 'unreadable' ? answer.why : null });
  }
  return { product, day, bodies: looked, missing: slices.length - done.size };
}
