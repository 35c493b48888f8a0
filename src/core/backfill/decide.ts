/**
 * The decision: what one day still needs, as a function of what is known of it and of what was asked for.
 *
 * Sources: spec/telemetry.md TEL-11, TEL-15, TEL-20…24 with TEL-D1…D8, D13; SAFE-6, SAFE-7; UDL-D14; CLI-10…19. Where these
 * leave room, three rules decide: what is complete is never made again; a failed day waits for `--retry-failed`; a stage
 * whose input will change is followed by the stages that use it (they look first, so that an equal input costs nothing).
 */
import type { Recheck, RunMode, RunOptions, SkipCounts, Stage } from './types.ts';

/** Latest word of a phase of the day, by order of writing (TEL-D10); a failed count counts as a failed download. */
export const DOWNLOAD_STATES = ['none', 'pending', 'done', 'noData', 'failed'] as const;
export const BUILD_STATES = ['none', 'pending', 'done', 'noInput', 'failed'] as const;
export const UPLOAD_STATES = ['none', 'pending', 'done', 'failed'] as const;

/**
 * A recorded file against the disk: there is no record; size and hash match; gone; something else stands there; removed
 * on purpose after delivery (`--keep-downloads`).
 */
export const ARTIFACT_STATES = ['none', 'intact', 'missing', 'changed', 'released'] as const;
export const PRODUCT_STATES = ['none', 'intact', 'missing', 'changed'] as const;

export interface DecisionFacts {
  readonly download: (typeof DOWNLOAD_STATES)[number];
  readonly build: (typeof BUILD_STATES)[number];
  /** To the destination asked for; `none` when none is asked for. */
  readonly upload: (typeof UPLOAD_STATES)[number];
  /** In `process` mode, of the input file that was found: `none` when it is not the recorded artifact, `released` when that was removed and no file was found. */
  readonly artifact: (typeof ARTIFACT_STATES)[number];
  /** Whether the records of the present artifact are counted. */
  readonly counted: boolean;
  /** Whether "no data" is the source's last word (`isFinal`). */
  readonly noDataFinal: boolean;
  /** `process` only: a file with the day's name lies in the input folder (TEL-14). */
  readonly inputFound: boolean;
  readonly product: (typeof PRODUCT_STATES)[number];
  /** Whether the recorded product was made from the present input, with the profile asked for. */
  readonly productCurrent: boolean;
  /** Whether the recorded product's content is recorded as delivered to the destination asked for. */
  readonly delivered: boolean;
  /** Whether the source should be asked again for a day that is done (`isRecheckDue`). */
  readonly recheckDue: boolean;
}

export interface DecisionFlags {
  readonly mode: RunMode;
  readonly retryFailed: boolean;
  /** Whether a destination is given. */
  readonly upload: boolean;
  /** Compare days that are done with the source again; `run` only. */
  readonly refresh: boolean;
  /** Fetch files again that were removed after delivery; `download` only: `run` does it when it needs them. */
  readonly fetchReleased: boolean;
}

/** Action words of the dry run (TEL-11); `run_count` and `recheck` are ours. */
export type DownloadAction = 'run' | 'run_count' | 'recheck' | 'skip_existing' | 'skip_terminal' | 'skip_failed';
/** Action words of the dry run (TEL-15). */
export type ProcessAction =
  | 'run_process'
  | 'run_upload_only'
  | 'skip_existing'
  | 'skip_failed'
  | 'skip_no_input'
  | 'skip_terminal';

export interface DayDecision {
  /** Stages to do, in order; empty exactly when `skip` is set. */
  readonly stages: readonly Stage[];
  readonly skip: keyof SkipCounts | null;
  /** Set when the day is done and looked at again. */
  readonly recheck?: Recheck;
  /** What each phase that was asked about does by itself. */
  readonly download: DownloadAction | null;
  readonly process: ProcessAction | null;
  /** One clause for people: why there is work, or why there is none. */
  readonly reason: string;
}

interface Phase<Action> {
  readonly action: Action;
  readonly reason: string;
}

/** What the day needs. Pure: the same facts and flags give the same decision. */
export function decideDay(facts: DecisionFacts, flags: DecisionFlags): DayDecision {
  if (flags.mode === 'download') return forDownload(decideDownload(facts, flags));
  if (flags.mode === 'process') return forProcess(decideProcess(facts, flags, hasUsableInput(facts)), flags);
  return forRun(facts, flags);
}

/** TEL-11. */
function decideDownload(
  facts: DecisionFacts,
  { retryFailed, refresh, fetchReleased }: DecisionFlags,
): Phase<DownloadAction> {
  if (facts.download === 'failed') {
    return retryFailed
      ? { action: 'run', reason: 'the download failed before' }
      : { action: 'skip_failed', reason: 'the download failed before (--retry-failed tries it again)' };
  }
  if (facts.download === 'noData') {
    if (refresh && facts.noDataFinal)
      return { action: 'run', reason: 'the source had no data, and late data is asked for' };
    return facts.noDataFinal
      ? { action: 'skip_terminal', reason: 'the source had no data' }
      : { action: 'run', reason: 'the source had no data when the day was too recent' };
  }
  switch (facts.artifact) {
    case 'released':
      return fetchReleased
        ? { action: 'run', reason: 'the file was removed after delivery, and is asked for' }
        : { action: 'skip_existing', reason: 'already downloaded; the file was removed after delivery' };
    case 'intact':
      return facts.counted
        ? { action: 'skip_existing', reason: 'already downloaded' }
        : { action: 'run_count', reason: 'the records are not counted' };
    case 'missing':
      return { action: 'run', reason: 'the downloaded file is gone' };
    case 'changed':
      return { action: 'run', reason: 'the downloaded file is not what was recorded' };
    default: {
      const interrupted = facts.download === 'pending';
      return { action: 'run', reason: interrupted ? 'the download was interrupted' : 'not downloaded yet' };
    }
  }
}

/** TEL-24: a file that may be partial is no input; one whose recorded hash matches is whole, whatever was tried since. */
export function hasUsableInput({
  inputFound,
  artifact,
  download,
}: Pick<DecisionFacts, 'inputFound' | 'artifact' | 'download'>): boolean {
  if (!inputFound) return false;
  if (artifact === 'intact') return true;
  if (download === 'pending') return false;
  return download !== 'failed' || artifact !== 'none';
}

/** TEL-15 with TEL-20…23. */
function decideProcess(facts: DecisionFacts, flags: DecisionFlags, hasInput: boolean): Phase<ProcessAction> {
  const buildFailed = facts.build === 'failed';
  const uploadFailed = flags.upload && facts.upload === 'failed';
  if ((buildFailed || uploadFailed) && !flags.retryFailed) {
    const what = buildFailed ? 'the build' : 'the upload';
    return { action: 'skip_failed', reason: `${what} failed before (--retry-failed tries it again)` };
  }
  const delivered = flags.upload && facts.delivered && !uploadFailed;
  // Delivered is the end, whatever became of the file here (TEL-D8).
  const hasProduct = facts.productCurrent && (facts.product === 'intact' || (delivered && facts.product !== 'none'));
  if (!hasProduct || buildFailed) {
    if (hasInput) return { action: 'run_process', reason: whyBuild(facts) };
    const action = facts.build === 'noInput' ? 'skip_terminal' : 'skip_no_input';
    return { action, reason: `${whyNoInput(facts)}, and ${whyBuild(facts)}` };
  }
  if (!flags.upload) return { action: 'skip_existing', reason: 'already built' };
  if (delivered) return { action: 'skip_existing', reason: 'already delivered' };
  return { action: 'run_upload_only', reason: whyUpload(facts) };
}

function whyNoInput({ artifact }: DecisionFacts): string {
  if (artifact !== 'released') return 'no input file';
  return 'the input was removed after delivery ("download --fetch-released" brings it back)';
}

function whyBuild(facts: DecisionFacts): string {
  if (facts.build === 'failed') return 'the build failed before';
  if (facts.product === 'none') return facts.build === 'pending' ? 'the build was interrupted' : 'not built yet';
  if (!facts.productCurrent) return 'the product was made from another input or with another profile';
  return facts.product === 'changed' ? 'the product is not what was recorded' : 'the product is gone';
}

function whyUpload({ upload }: DecisionFacts): string {
  if (upload === 'failed') return 'the upload failed before';
  if (upload === 'pending') return 'the upload was interrupted';
  return upload === 'done' ? 'the product changed since it was delivered' : 'not delivered there yet';
}

function forDownload({ action, reason }: Phase<DownloadAction>): DayDecision {
  return { stages: downloadStages(action), skip: skipOfDownload(action), download: action, process: null, reason };
}

function forProcess({ action, reason }: Phase<ProcessAction>, flags: DecisionFlags): DayDecision {
  return {
    stages: processStages(action, flags),
    skip: skipOfProcess(action),
    download: null,
    process: action,
    reason,
  };
}

/** The union of both; the day's artifact is the input. */
function forRun(facts: DecisionFacts, flags: DecisionFlags): DayDecision {
  const first = decideDownload(facts, flags);
  const second = decideProcess(facts, flags, true);
  const actions = { download: first.action, process: second.action };
  const endOfDay = skipOfDownload(first.action);
  if (endOfDay === 'failed' || endOfDay === 'noData') {
    return { stages: [], skip: endOfDay, ...actions, reason: first.reason };
  }
  if (second.action === 'skip_failed') return { stages: [], skip: 'failed', ...actions, reason: second.reason };

  const fetchAgain = facts.artifact === 'released' && second.action === 'run_process';
  if (
    first.action === 'skip_existing' &&
    !fetchAgain &&
    facts.download === 'done' &&
    (flags.refresh || facts.recheckDue)
  ) {
    return looksAgain(processStages(second.action, flags), actions.process, flags);
  }
  if (first.action === 'run' || fetchAgain) {
    const stages = [...downloadStages('run'), ...processStages('run_process', flags)];
    const reason = fetchAgain ? `${second.reason}, and its input was removed` : first.reason;
    return { stages, skip: null, download: 'run', process: 'run_process', reason };
  }
  const stages = [...downloadStages(first.action), ...processStages(second.action, flags)];
  const reason = first.action === 'run_count' ? first.reason : second.reason;
  return { stages, skip: stages.length === 0 ? 'existing' : null, ...actions, reason };
}

/** All stages are planned; those that new data alone would ask for are left out when none has come. */
function looksAgain(anyway: Stage[], process: ProcessAction, flags: DecisionFlags): DayDecision {
  const stages = [...downloadStages('run'), ...processStages('run_process', flags)];
  const reason = flags.refresh
    ? 'done, and late data is asked for'
    : 'done, but so soon after the day that more may have come';
  return { stages, skip: null, recheck: { anyway }, download: 'recheck', process, reason };
}

function downloadStages(action: DownloadAction): Stage[] {
  if (action === 'run') return ['download', 'count'];
  return action === 'run_count' ? ['count'] : [];
}

function processStages(action: ProcessAction, { upload }: DecisionFlags): Stage[] {
  if (action === 'run_process') return upload ? ['build', 'upload'] : ['build'];
  return action === 'run_upload_only' ? ['upload'] : [];
}

function skipOfDownload(action: DownloadAction): keyof SkipCounts | null {
  const skips = {
    run: null,
    run_count: null,
    recheck: null,
    skip_existing: 'existing',
    skip_terminal: 'noData',
    skip_failed: 'failed',
  };
  return skips[action] as keyof SkipCounts | null;
}

function skipOfProcess(action: ProcessAction): keyof SkipCounts | null {
  switch (action) {
    case 'skip_existing':
      return 'existing';
    case 'skip_failed':
      return 'failed';
    case 'skip_no_input':
    case 'skip_terminal':
      return 'noInput';
    default:
      return null;
  }
}

/** The flags that an operator's options come down to. */
export function decisionFlags({ mode, retryFailed, refresh, fetchReleased, uploadTo }: RunOptions): DecisionFlags {
  return {
    mode,
    retryFailed,
    upload: uploadTo !== null && mode !== 'download',
    refresh: refresh === true && mode === 'run',
    fetchReleased: fetchReleased === true && mode === 'download',
  };
}

/**
 * Cuts a plan (TEL-25 with TEL-D7): days without work are kept and cost nothing; the walk ends at the first day that has
 * work once `limit` days have some. Days behind that are dropped, also those without work.
 *
 * @param days - in the order in which they are to be done
 * @param limit - days that may have work, 0 or more; null for no limit
 */
export function limitDays<T extends { readonly stages: readonly Stage[] }>(
  days: readonly T[],
  limit: number | null,
): { kept: readonly T[]; limited: boolean } {
  if (limit === null) return { kept: days, limited: false };
  let left = limit;
  const end = days.findIndex((day) => day.stages.length > 0 && (left -= 1) < 0);
  return end === -1 ? { kept: days, limited: false } : { kept: days.slice(0, end), limited: true };
}
