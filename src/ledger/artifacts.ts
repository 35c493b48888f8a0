/** Rows of `artifacts` and what hangs on them: counts, deliveries, generation dates, hashes of files brought by hand. */
import { dirname, resolve } from 'node:path';
import type { Insertable, Kysely, Selectable, Transaction } from 'kysely';
import { PipelineError } from '../core/errors.ts';
import type { ProductSlug } from '../core/product.ts';
import type { RecordCounts } from '../core/records/counts.ts';
import type { Day } from '../core/time/day.ts';
import type { ArtifactRow, DeliveryRow, Ledger } from './ledger.ts';
import type { ArtifactsTable, LedgerTables } from './schema.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

export type ArtifactStore = Pick<
  Ledger,
  | 'putArtifact'
  | 'releaseArtifact'
  | 'artifactOwner'
  | 'artifactsOfOthers'
  | 'productEditions'
  | 'putDelivery'
  | 'putCounts'
  | 'generationDate'
  | 'inputFiles'
  | 'putInputFile'
>;

export interface ArtifactStoreOptions {
  readonly db: Kysely<LedgerTables>;
  readonly paths: WorkspacePaths;
  readonly now: () => number;
}

export function createArtifactStore({ db, paths, now }: ArtifactStoreOptions): ArtifactStore {
  const isoNow = () => new Date(now()).toISOString();
  return {
    putArtifact: (artifact) => db.transaction().execute((trx) => putArtifactRow(trx, artifact, paths, isoNow())),

    async releaseArtifact(path) {
      await db
        .updateTable('artifacts')
        .set({ released_at: isoNow() })
        .where('path', '=', paths.toStored(path))
        .where('superseded_at', 'is', null)
        .where('released_at', 'is', null)
        .execute();
    },

    async artifactOwner(path) {
      const owner = await currentAt(db, paths.toStored(path));
      return owner === undefined ? null : { product: owner.product, day: owner.day };
    },

    async artifactsOfOthers(product, first, last) {
      const rows = await db
        .selectFrom('artifacts')
        .select(['kind', 'product', 'day', 'path'])
        .where('kind', 'in', ['download', 'product'])
        .where('day', '>=', first)
        .where('day', '<=', last)
        .where('product', '!=', product)
        .where('superseded_at', 'is', null)
        .execute();
      return rows.map((row) => ({ ...row, path: paths.toAbsolute(row.path) }));
    },

    async productEditions(product, day) {
      const rows = await db
        .selectFrom('artifacts')
        .select(['input_sha256', 'profile', 'version'])
        .where('product', '=', product)
        .where('day', '=', day)
        .where('kind', '=', 'product')
        .orderBy('id')
        .execute();
      return rows.map(({ input_sha256, profile, version }) => ({ inputSha256: input_sha256, profile, version }));
    },

    async putDelivery(delivery) {
      const row = {
        product: delivery.product,
        day: delivery.day,
        destination: delivery.destination,
        object_key: delivery.key,
        size_bytes: delivery.sizeBytes,
        sha256: delivery.sha256,
        delivered_at: delivery.deliveredAt,
      };
      await db
        .insertInto('deliveries')
        .values(row)
        .onConflict((conflict) => conflict.columns(['product', 'day', 'destination']).doUpdateSet(row))
        .execute();
    },

    putCounts: (product, day, artifactSha256, counts) => putCountsRow(db, product, day, artifactSha256, counts),

    async generationDate(inputSha256, profile, writer, today) {
      await db
        .insertInto('generation_dates')
        .values({ input_sha256: inputSha256, profile, writer, generation_date: today })
        .onConflict((conflict) => conflict.columns(['input_sha256', 'profile', 'writer']).doNothing())
        .execute();
      const row = await db
        .selectFrom('generation_dates')
        .select('generation_date')
        .where('input_sha256', '=', inputSha256)
        .where('profile', '=', profile)
        .where('writer', '=', writer)
        .executeTakeFirstOrThrow();
      return row.generation_date;
    },

    async inputFiles(folder) {
      const prefix = paths.toStored(`${folder}/x`).slice(0, -1);
      const rows = await db
        .selectFrom('input_files')
        .selectAll()
        .where('path', '>=', prefix)
        .where('path', '<', `${prefix}\u{10FFFF}`)
        .execute();
      const files = rows.map((row) => ({
        path: paths.toAbsolute(row.path),
        sizeBytes: row.size_bytes,
        mtimeMs: row.mtime_ms,
        sha256: row.sha256,
      }));
      return files.filter((file) => dirname(file.path) === resolve(folder));
    },

    async putInputFile(file) {
      const row = {
        path: paths.toStored(file.path),
        size_bytes: file.sizeBytes,
        mtime_ms: file.mtimeMs,
        sha256: file.sha256,
      };
      await db
        .insertInto('input_files')
        .values(row)
        .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
        .execute();
    },
  };
}

function currentAt(db: Kysely<LedgerTables>, storedPath: string) {
  return db
    .selectFrom('artifacts')
    .select(['product', 'day', 'kind'])
    .where('path', '=', storedPath)
    .where('superseded_at', 'is', null)
    .executeTakeFirst();
}

/** Makes the artifact the current one of its (product, day, kind), within a transaction. */
export async function putArtifactRow(
  trx: Transaction<LedgerTables>,
  artifact: ArtifactRow,
  paths: WorkspacePaths,
  at: string,
): Promise<void> {
  const row = toRow(artifact, paths);
  const owner = await currentAt(trx, row.path);
  if (owner !== undefined && (owner.product !== row.product || owner.day !== row.day || owner.kind !== row.kind)) {
    throw new PipelineError('path_owned', `${artifact.path} belongs to ${owner.product}, day ${owner.day}.`, {
      hint: `Give ${row.product} another workspace or output folder.`,
      context: { path: artifact.path, owner: owner.product, day: owner.day },
    });
  }
  const former = await trx
    .selectFrom('artifacts')
    .select(['id', 'path', 'sha256'])
    .where('product', '=', row.product)
    .where('day', '=', row.day)
    .where('kind', '=', row.kind)
    .where('superseded_at', 'is', null)
    .executeTakeFirst();
  if (former?.path === row.path && former.sha256 === row.sha256) {
    const { created_at: _kept, ...present } = row;
    await trx.updateTable('artifacts').set(present).where('id', '=', former.id).execute();
    return;
  }
  if (former !== undefined) {
    await trx.updateTable('artifacts').set({ superseded_at: at }).where('id', '=', former.id).execute();
  }
  const { id } = await trx.insertInto('artifacts').values(row).returning('id').executeTakeFirstOrThrow();
  if (former !== undefined) {
    await trx.updateTable('artifacts').set({ superseded_by: id }).where('id', '=', former.id).execute();
  }
}

/** Writes the counts of an artifact's content; replaces former ones. */
export async function putCountsRow(
  db: Kysely<LedgerTables>,
  product: ProductSlug,
  day: Day,
  artifactSha256: string,
  counts: RecordCounts,
): Promise<void> {
  const row = {
    product,
    day,
    artifact_sha256: artifactSha256,
    records: counts.records,
    distinct_readings: counts.distinctReadings,
    records_per_sensor: JSON.stringify(counts.recordsPerSensor),
  };
  await db
    .insertInto('counts')
    .values(row)
    .onConflict((conflict) => conflict.columns(['product', 'day', 'artifact_sha256']).doUpdateSet(row))
    .execute();
}

function toRow(artifact: ArtifactRow, paths: WorkspacePaths): Insertable<ArtifactsTable> {
  return {
    kind: artifact.kind,
    product: artifact.product,
    day: artifact.day,
    path: paths.toStored(artifact.path),
    size_bytes: artifact.sizeBytes,
    sha256: artifact.sha256,
    mtime_ms: artifact.mtimeMs,
    records: artifact.records,
    input_sha256: artifact.inputSha256,
    profile: artifact.profile,
    version: artifact.version,
    created_at: artifact.createdAt,
    released_at: artifact.releasedAt ?? null,
    restored_for: artifact.restoredFor ?? null,
    superseded_at: null,
    superseded_by: null,
  };
}

export function toArtifact(row: Selectable<ArtifactsTable>, paths: WorkspacePaths): ArtifactRow {
  return {
    kind: row.kind,
    product: row.product,
    day: row.day,
    path: paths.toAbsolute(row.path),
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    mtimeMs: row.mtime_ms,
    records: row.records,
    inputSha256: row.input_sha256,
    profile: row.profile,
    version: row.version,
    createdAt: row.created_at,
    ...(row.released_at === null ? {} : { releasedAt: row.released_at }),
    ...(row.restored_for === null ? {} : { restoredFor: row.restored_for }),
  };
}

export function toDelivery(row: Selectable<LedgerTables['deliveries']>): DeliveryRow {
  return {
    product: row.product,
    day: row.day,
    destination: row.destination,
    key: row.object_key,
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    deliveredAt: row.delivered_at,
  };
}

export function toCounts(
  row: Pick<Selectable<LedgerTables['counts']>, 'records' | 'distinct_readings' | 'records_per_sensor'>,
): RecordCounts {
  return {
    records: row.records,
    distinctReadings: row.distinct_readings,
    recordsPerSensor: JSON.parse(row.records_per_sensor) as Record<string, number>,
  };
}
