/**
 * Looks at the days of a range: what the ledger knows, whether the files are as recorded, and what follows from it.
 *
 * In dry run nothing is written: files that would be adopted count as adopted, times that would be refreshed stay.
 */
import { join } from 'node:path';
import { decideDay, decisionFlags, hasUsableInput } from '../../core/backfill/decide.ts';
import type { DayDecision, DecisionFacts, DecisionFlags } from '../../core/backfill/decide.ts';
import { isFinal, isRecheckDue } from '../../core/backfill/recheck.ts';
import type { PlanRequest } from '../../core/backfill/types.ts';
import { parseProductSlug } from '../../core/product.ts';
import type { Descriptor } from '../../core/product.ts';
import { daysBetween, parseDay } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactRow, AttemptFact, DayFacts, InputFileRow, Ledger } from '../../ledger/ledger.ts';
import { adoptableDownload, adoptableProduct, productShelves } from './adopt-files.ts';
import type { Adopted } from './adopt-files.ts';
import { mapBounded } from './bounded.ts';
import { checkFile } from './file-state.ts';
import { fileNames, inputsByDay } from './find-input.ts';
import { hashOfInput } from './present-input.ts';

/** The folders that planning looks into; a `Workspace` has them. All absolute. */
export interface PlanFolders {
  readonly root: string;
  readonly downloads: string;
  readonly products: string;
  readonly telemetryFile: string;
}

/** As pino's: facts first, then the words. */
export interface PlanLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface SurveyDependencies {
  /** Null where there is none yet: everything is unknown then. */
  readonly ledger: Ledger | null;
  readonly folders: PlanFolders;
  /** Today's UTC date, `YYYY-MM-DD`. */
  readonly today: () => string;
  readonly log: PlanLog;
}

export interface SurveyedDay extends DayDecision {
  readonly day: Day;
  /** Latest status of the phase that comes first in this mode; null when nothing was tried. */
  readonly priorStatus: string | null;
  /** The file that makes the day done, or that was found as its input. */
  readonly path: string | null;
}

/** What is the same for all days of one survey. */
interface Survey {
  readonly deps: SurveyDependencies;
  readonly request: PlanRequest;
  readonly flags: DecisionFlags;
  readonly today: Day;
  readonly descriptor: Descriptor;
  /** Names of the files in the downloads folder. */
  readonly names: ReadonlySet<string>;
  readonly inputs: ReadonlyMap<Day, readonly string[]>;
  readonly shelves: readonly string[];
  readonly inputHashes: ReadonlyMap<string, InputFileRow>;
  readonly dryRun: boolean;
}

/** Days looked at once. File system calls run on few threads anyway; hashing is rare. */
const WIDTH = 16;

/** Looks at every day of the request, ascending. */
export async function surveyDays(
  deps: SurveyDependencies,
  request: PlanRequest,
  dryRun: boolean,
): Promise<SurveyedDay[]> {
  const { ledger, folders } = deps;
  const { mode, uploadTo } = request.options;
  const names = await fileNames(folders.downloads);
  const hashes = mode === 'process' && ledger !== null ? await ledger.inputFiles(folders.downloads) : [];
  const survey: Survey = {
    deps,
    request,
    flags: decisionFlags(request.options),
    today: parseDay(deps.today()),
    descriptor: parseProductSlug(request.product).descriptor,
    names: new Set(names),
    inputs: mode === 'process' ? inputsByDay(names, parseProductSlug(request.product)) : new Map(),
    shelves: mode === 'download' ? [] : await productShelves(folders.products),
    inputHashes: new Map(hashes.map((file) => [file.path, file])),
    dryRun,
  };
  const facts =
    ledger === null
      ? daysBetween(request.first, request.last).map(unknownDay)
      : await ledger.dayFacts(request.product, request.first, request.last, uploadTo);
  const wanted = request.days === undefined ? null : new Set(request.days);
  const asked = wanted === null ? facts : facts.filter(({ day }) => wanted.has(day));
  return mapBounded(asked, WIDTH, (day) => surveyDay(survey, day));
}

function unknownDay(day: Day): DayFacts {
  const nothing = { artifact: null, productFile: null, delivery: null, counts: null, check: null };
  return { day, download: null, build: null, upload: null, ...nothing };
}

async function surveyDay(survey: Survey, facts: DayFacts): Promise<SurveyedDay> {
  const { mode } = survey.flags;
  const download = await lookAtDownload(survey, facts);
  const input = mode === 'process' ? inputOf(survey, facts.day, download) : null;
  const product = mode === 'download' ? NO_FILE : await lookAtProduct(survey, facts, download, input);
  const known = {
    download: downloadState(facts.download),
    artifact: mode === 'process' ? stateOfInput(download, input) : download.state,
    inputFound: input !== null,
  } as const;
  const decisionFacts: DecisionFacts = {
    ...known,
    build: buildState(facts.build),
    upload: uploadState(facts.upload),
    counted: download.adopted || facts.counts !== null,
    noDataFinal: isFinal(facts.day, survey.descriptor, facts.download?.finishedAt ?? null, survey.today),
    recheckDue: isRecheckDue(facts.day, survey.descriptor, lastLooked(facts), survey.today),
    ...(product.row === null && !download.adopted && isToldDelivered(facts)
      ? { product: 'missing', productCurrent: true, delivered: true }
      : {
          product: product.state === 'released' ? 'missing' : product.state,
          productCurrent: await isCurrent(survey, product.row, download, hasUsableInput(known) ? input : null),
          delivered: product.row !== null && facts.delivery?.sha256 === product.row.sha256,
        }),
  };
  const decision = decideDay(decisionFacts, survey.flags);
  const doneBy = mode === 'download' ? download.row : product.row;
  return {
    ...decision,
    day: facts.day,
    priorStatus: (mode === 'process' ? facts.build : facts.download)?.status ?? null,
    path: decision.skip === 'existing' ? (doneBy?.path ?? null) : (input?.path ?? null),
  };
}

function stateOfInput(download: FileView, input: InputFile | null): FileView['state'] {
  if (input === null) return download.state === 'released' ? 'released' : 'none';
  return input.path === download.row?.path ? download.state : 'none';
}

/** When the day was last compared with the source; its download is a look as well. */
function lastLooked({ check, download }: DayFacts): { checkedAt: string; askedAt: string } | null {
  if (check !== null) return check;
  const at = download?.finishedAt ?? null;
  return at === null ? null : { checkedAt: at, askedAt: at };
}

/**
 * Whether the rows say that the day was delivered, and nothing has been made since (TEL-15, TEL-23). They are all there is to go by
 * where another program removed its product after the delivery, or the ledger was made anew without it. Of a file that has just been
 * taken up they do not tell yet.
 */
function isToldDelivered({ download, build, upload }: DayFacts): boolean {
  if (upload?.status !== 'UPLOADED') return false;
  const isLater = (fact: AttemptFact | null): boolean => fact !== null && fact.seq > upload.seq;
  return (
    !(download?.status === 'DOWNLOADED' && isLater(download)) &&
    !(build?.status !== 'SKIPPED_NO_INPUT' && isLater(build))
  );
}

/** What became of a recorded file, after adoption of one that was not recorded. */
interface FileView {
  readonly state: DecisionFacts['artifact'];
  readonly row: ArtifactRow | null;
  readonly adopted: boolean;
}

const NO_FILE: FileView = { state: 'none', row: null, adopted: false };

async function lookAtDownload(survey: Survey, { day, artifact }: DayFacts): Promise<FileView> {
  const view = await lookAt(survey, artifact);
  if (view.state === 'intact' || view.state === 'released') return view;
  const { downloads } = survey.deps.folders;
  return adopt(survey, view, await adoptableDownload(downloads, survey.names, survey.request.product, day));
}

async function lookAtProduct(
  survey: Survey,
  { day, productFile }: DayFacts,
  download: FileView,
  input: InputFile | null,
): Promise<FileView> {
  const view = await lookAt(survey, productFile);
  if (view.state === 'intact') return view;
  const inputSha256 = input === null ? (download.row?.sha256 ?? null) : input.sha256;
  // Beside a recorded product only one of the present input may be a newer one; any other is a former one.
  if (inputSha256 === null && productFile !== null) return view;
  const { product, options } = survey.request;
  const wanted = { product, day, profile: options.profile, inputSha256 };
  return adopt(survey, view, await adoptableProduct(survey.shelves, wanted));
}

async function lookAt({ deps, dryRun }: Survey, row: ArtifactRow | null): Promise<FileView> {
  if (row === null) return NO_FILE;
  const { state, newMtimeMs } = await checkFile(row);
  if (newMtimeMs !== null && !dryRun) await deps.ledger?.putArtifact({ ...row, mtimeMs: newMtimeMs });
  const released = row.releasedAt !== undefined && state === 'missing';
  return { state: released ? 'released' : state, row, adopted: false };
}

async function adopt({ deps, dryRun }: Survey, before: FileView, found: Adopted | null): Promise<FileView> {
  if (found === null) return before;
  const { row, counts, inputPath } = found;
  if (!dryRun) {
    await deps.ledger?.adoptArtifact(row, { counts, inputPath });
    deps.log.info({ day: row.day, path: row.path }, 'a finished file without a record was taken up');
  }
  return { state: 'intact', row, adopted: true };
}

/** The file that `process` would build from; its hash when that is known without reading it. */
interface InputFile {
  readonly path: string;
  readonly sha256: string | null;
}

function inputOf(survey: Survey, day: Day, download: FileView): InputFile | null {
  const { deps } = survey;
  const names = survey.inputs.get(day) ?? [];
  const [first] = names;
  if (first === undefined) return null;
  const path = join(deps.folders.downloads, first);
  if (names.length > 1)
    deps.log.warn({ day, path, names }, 'several input files match; the first in name order is used');
  const isArtifact = download.state === 'intact' && download.row?.path === path;
  return { path, sha256: isArtifact ? (download.row?.sha256 ?? null) : null };
}

/** Whether the product was made from the input that a build would take now, with the profile asked for. */
async function isCurrent(
  survey: Survey,
  product: ArtifactRow | null,
  download: FileView,
  input: InputFile | null,
): Promise<boolean> {
  if (product === null) return false;
  // What an operator brought back stays until the source has something else, whatever it was made from and how.
  const isOf = (sha256: string): boolean => sha256 === product.inputSha256 || sha256 === product.restoredFor;
  if (product.restoredFor === undefined && product.profile !== survey.request.options.profile) return false;
  if (survey.flags.mode !== 'process') return download.row === null || isOf(download.row.sha256);
  // Without an input there is nothing to compare with: what is there stays (TEL-15).
  if (input === null) return true;
  const ledger = survey.dryRun ? null : survey.deps.ledger;
  const known = survey.inputHashes.get(input.path);
  const sha256 = input.sha256 ?? (await hashOfInput(ledger, input.path, known));
  return sha256 !== null && isOf(sha256);
}

function downloadState(fact: AttemptFact | null): DecisionFacts['download'] {
  switch (fact?.status) {
    case 'DOWNLOADED':
      return 'done';
    case 'SKIPPED_NO_DATA':
      return 'noData';
    case 'FAILED':
      return 'failed';
    case 'DOWNLOAD_PENDING':
      return 'pending';
    default:
      return 'none';
  }
}

function buildState(fact: AttemptFact | null): DecisionFacts['build'] {
  switch (fact?.status) {
    case 'PROCESSED':
      return 'done';
    case 'SKIPPED_NO_INPUT':
      return 'noInput';
    case 'FAILED':
      return 'failed';
    case 'PROCESS_PENDING':
      return 'pending';
    default:
      return 'none';
  }
}

function uploadState(fact: AttemptFact | null): DecisionFacts['upload'] {
  switch (fact?.status) {
    case 'UPLOADED':
      return 'done';
    case 'FAILED':
      return 'failed';
    case 'UPLOAD_PENDING':
      return 'pending';
    default:
      return 'none';
  }
}
