/** Rows of `attempts`: the beginnings and ends of stages, each written once and never changed. */
import type { Insertable, Kysely, Selectable, Transaction } from 'kysely';
import type { DayFailure, Stage } from '../core/backfill/types.ts';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { Ledger, StageAttempt, StageClosing, TelemetryStatus } from './ledger.ts';
import type { AttemptsTable, LedgerTables } from './schema.ts';
import { stampMs, telemetryStamp } from './stamp.ts';
import { storableText } from './storable-text.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

type Db = Kysely<LedgerTables>;
type AttemptRow = Selectable<AttemptsTable>;
type NewAttempt = Insertable<AttemptsTable>;

const PENDING_STATUS = {
  download: 'DOWNLOAD_PENDING',
  build: 'PROCESS_PENDING',
  upload: 'UPLOAD_PENDING',
} as const satisfies Partial<Record<Stage, TelemetryStatus>>;

/** The stage that a good end belongs to. */
const STAGE_OF_CLOSING = {
  DOWNLOADED: 'download',
  SKIPPED_NO_DATA: 'download',
  PROCESSED: 'build',
  UPLOADED: 'upload',
} as const satisfies Record<StageClosing['status'], Stage>;

export type AttemptWriter = Pick<Ledger, 'openStage' | 'closeStage' | 'failStage' | 'recordNoInput'>;

export interface AttemptWriterOptions {
  readonly db: Db;
  readonly paths: WorkspacePaths;
  readonly now: () => number;
}

export function createAttemptWriter({ db, paths, now }: AttemptWriterOptions): AttemptWriter {
  return {
    openStage: (attempt) =>
      db.transaction().execute(async (trx) => {
        // Told again after its end, the beginning of a stage is no second one.
        if ((await ownRow(trx, attempt, 'closing')) !== undefined) return;
        await open(trx, attempt, telemetryStamp(now()));
      }),

    closeStage: (attempt, closing) =>
      db.transaction().execute(async (trx) => {
        if (STAGE_OF_CLOSING[closing.status] !== attempt.stage) {
          throw new RangeError(`${closing.status} does not end the stage ${attempt.stage}`);
        }
        if ((await ownRow(trx, attempt, 'closing')) !== undefined) return;
        const finishedAt = telemetryStamp(now());
        const opening = await open(trx, attempt, finishedAt);
        await appendAttempt(trx, {
          ...endingOf(opening, finishedAt),
          workflow_run_id: attempt.workflowRunId,
          status: closing.status,
          ...closingFields(closing, paths),
        });
      }),

    failStage: (attempt, failure) =>
      db.transaction().execute(async (trx) => {
        const finishedAt = telemetryStamp(now());
        if (await hasFailed(trx, attempt.workflowRunId)) return;
        if ((await ownRow(trx, attempt, 'closing')) !== undefined) return;
        const opening =
          attempt.stage === 'count'
            ? await countBeginning(trx, attempt, finishedAt)
            : await open(trx, attempt, finishedAt);
        const seconds = Math.max(0, (stampMs(finishedAt) - stampMs(opening.started_at)) / 1000);
        await appendAttempt(trx, {
          ...endingOf(opening, finishedAt),
          workflow_run_id: attempt.workflowRunId,
          ...failureFields(attempt.stage, failure, seconds),
        });
      }),

    recordNoInput: (runId, product, day) =>
      db.transaction().execute(async (trx) => {
        const latest = await latestOfStage(trx, product, day, 'build');
        if (latest?.status === 'SKIPPED_NO_INPUT') return;
        const at = telemetryStamp(now());
        await appendAttempt(trx, {
          ...(await carriedForward(trx, product, day)),
          workflow_run_id: null,
          stage: 'build',
          destination: '',
          edge: 'closing',
          product,
          day,
          run_id: runId,
          status: 'SKIPPED_NO_INPUT',
          started_at: at,
          finished_at: at,
        });
      }),
  };
}

/** Appends a row unless the attempt has it already, and makes it the latest word of its phase. */
export async function appendAttempt(trx: Transaction<LedgerTables>, row: NewAttempt): Promise<void> {
  const appended = await trx
    .insertInto('attempts')
    .values(row)
    .onConflict((conflict) => conflict.columns(['workflow_run_id', 'stage', 'destination', 'edge']).doNothing())
    .returning('seq')
    .executeTakeFirst();
  if (appended === undefined) return;
  const { product, day, status, destination } = row;
  const key = { product, day, phase: row.stage === 'count' ? 'download' : row.stage, destination } as const;
  const latest = {
    seq: appended.seq,
    status,
    error_type: row.error_type ?? null,
    told_at: row.finished_at ?? row.started_at,
  };
  await trx
    .insertInto('day_states')
    .values({ ...key, ...latest })
    .onConflict((conflict) => conflict.columns(['product', 'day', 'phase', 'destination']).doUpdateSet(latest))
    .execute();
}

/**
 * The opening row of an attempt; appends it when there is none yet. A stage that the run left open in an earlier workflow
 * run (stopped by the source or by a full disk) is still the same stage: its row is taken, with its start time.
 */
async function open(trx: Transaction<LedgerTables>, attempt: StageAttempt, startedAt: string): Promise<AttemptRow> {
  const { stage } = attempt;
  if (stage === 'count') throw new RangeError('The stage count has no row of its own (spec telemetry §2)');
  const existing = (await ownRow(trx, attempt, 'opening')) ?? (await leftOpen(trx, attempt));
  if (existing !== undefined) return existing;
  const carried =
    stage === 'download'
      ? { expected: expectedRecords(parseProductSlug(attempt.product)) }
      : await carriedForward(trx, attempt.product, attempt.day);
  await appendAttempt(trx, {
    ...carried,
    ...(stage === 'upload' ? await productOf(trx, attempt) : {}),
    ...identity(attempt, 'opening', startedAt),
    status: PENDING_STATUS[stage],
    finished_at: null,
  });
  const opening = await ownRow(trx, attempt, 'opening');
  if (opening === undefined) throw new Error('An opening row that was just written is not there');
  return opening;
}

/** The row that this workflow run wrote at an edge of the stage. */
function ownRow(
  trx: Transaction<LedgerTables>,
  attempt: StageAttempt,
  edge: AttemptRow['edge'],
): Promise<AttemptRow | undefined> {
  return trx
    .selectFrom('attempts')
    .selectAll()
    .where('workflow_run_id', '=', attempt.workflowRunId)
    .where('stage', '=', attempt.stage)
    .where('destination', '=', destinationOf(attempt))
    .where('edge', '=', edge)
    .executeTakeFirst();
}

/** The latest row that the run wrote about the stage of a day, in whatever workflow run, if it is an opening one. */
async function leftOpen(trx: Transaction<LedgerTables>, attempt: StageAttempt): Promise<AttemptRow | undefined> {
  const latest = await latestOfRun(trx, attempt).executeTakeFirst();
  return latest?.edge === 'opening' ? latest : undefined;
}

function latestOfRun(trx: Transaction<LedgerTables>, attempt: StageAttempt) {
  return trx
    .selectFrom('attempts')
    .selectAll()
    .where('run_id', '=', attempt.runId)
    .where('product', '=', attempt.product)
    .where('day', '=', attempt.day)
    .where('stage', '=', attempt.stage)
    .where('destination', '=', destinationOf(attempt))
    .orderBy('seq', 'desc')
    .limit(1);
}

function destinationOf(attempt: StageAttempt): string {
  return attempt.stage === 'upload' ? (attempt.destination ?? '') : '';
}

function identity(attempt: StageAttempt, edge: 'opening' | 'closing', startedAt: string) {
  return {
    workflow_run_id: attempt.workflowRunId,
    stage: attempt.stage,
    destination: destinationOf(attempt),
    edge,
    product: attempt.product,
    day: attempt.day,
    run_id: attempt.runId,
    started_at: startedAt,
  };
}

/** Everything of the opening row, as the beginning of the row that closes it (TEL-5, TEL-6). */
export function endingOf({ seq: _seq, ...opening }: AttemptRow, finishedAt: string): NewAttempt {
  return { ...opening, edge: 'closing', finished_at: finishedAt };
}

/** A failed count is told with the start of the download it belongs to, so that readers of the CSV find its stage (TEL-21). */
async function countBeginning(
  trx: Transaction<LedgerTables>,
  attempt: StageAttempt,
  startedAt: string,
): Promise<AttemptRow> {
  const download = await latestOfRun(trx, { ...attempt, stage: 'download' })
    .where('edge', '=', 'opening')
    .executeTakeFirst();
  const fresh = { expected: expectedRecords(parseProductSlug(attempt.product)) };
  return {
    ...EMPTY_ROW,
    ...fresh,
    ...download,
    ...identity(attempt, 'opening', download?.started_at ?? startedAt),
    status: 'DOWNLOAD_PENDING',
  };
}

const EMPTY_ROW = {
  seq: 0,
  records: null,
  expected: null,
  download_seconds: null,
  artifact_bytes: null,
  artifact_path: null,
  error_type: null,
  error_message: null,
  finished_at: null,
  build_seconds: null,
  product_bytes: null,
  product_path: null,
  upload_seconds: null,
  bucket: null,
  object_key: null,
} as const;

function closingFields(closing: StageClosing, paths: WorkspacePaths): Partial<NewAttempt> {
  switch (closing.status) {
    case 'DOWNLOADED':
      return {
        records: closing.records,
        download_seconds: closing.seconds,
        artifact_bytes: closing.sizeBytes,
        artifact_path: paths.toStored(closing.path),
      };
    case 'SKIPPED_NO_DATA':
      return { download_seconds: closing.seconds, error_message: storableText(closing.reason) };
    case 'PROCESSED':
      return {
        build_seconds: closing.seconds,
        product_bytes: closing.sizeBytes,
        product_path: paths.toStored(closing.path),
        artifact_path: paths.toStored(closing.inputPath),
      };
    default:
      return { upload_seconds: closing.seconds, bucket: closing.bucket, object_key: closing.key };
  }
}

function failureFields(stage: Stage, failure: DayFailure, seconds: number) {
  const column = {
    download: 'download_seconds',
    count: 'download_seconds',
    build: 'build_seconds',
    upload: 'upload_seconds',
  } as const;
  return {
    status: 'FAILED',
    error_type: failure.kind,
    error_message: storableText(failure.message),
    [column[stage]]: seconds,
  } as const;
}

async function hasFailed(trx: Transaction<LedgerTables>, workflowRunId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('attempts')
    .select('seq')
    .where('workflow_run_id', '=', workflowRunId)
    .where('status', '=', 'FAILED')
    .executeTakeFirst();
  return row !== undefined;
}

function latestOfStage(trx: Transaction<LedgerTables>, product: ProductSlug, day: Day, stage: Stage) {
  return trx
    .selectFrom('attempts')
    .select('status')
    .where('product', '=', product)
    .where('day', '=', day)
    .where('stage', '=', stage)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Columns 6–11 of the day's latest row (TEL-6). */
async function carriedForward(trx: Transaction<LedgerTables>, product: ProductSlug, day: Day) {
  const latest = await trx
    .selectFrom('attempts')
    .select(['records', 'expected', 'download_seconds', 'artifact_bytes', 'artifact_path'])
    .where('product', '=', product)
    .where('day', '=', day)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return latest ?? {};
}

/** Columns 19–21 of upload rows: the current product, and how long its build took (TEL-17). */
async function productOf(trx: Transaction<LedgerTables>, { product, day }: StageAttempt) {
  const built = await trx
    .selectFrom('attempts')
    .select(['build_seconds', 'product_bytes', 'product_path'])
    .where('product', '=', product)
    .where('day', '=', day)
    .where('status', '=', 'PROCESSED')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const current = await trx
    .selectFrom('artifacts')
    .select(['size_bytes as product_bytes', 'path as product_path'])
    .where('product', '=', product)
    .where('day', '=', day)
    .where('kind', '=', 'product')
    .where('superseded_at', 'is', null)
    .executeTakeFirst();
  return { ...built, ...current };
}
