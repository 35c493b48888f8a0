/** Column types that mean the same in both databases, and what only one of them has. */
import { PostgresAdapter, sql } from 'kysely';
import type { ColumnDataType, ColumnDefinitionBuilder, Kysely, RawBuilder } from 'kysely';

type ColumnType = ColumnDataType | RawBuilder<unknown>;

export interface Columns {
  readonly isPostgres: boolean;
  /** Compared byte by byte in both, so that ranges of days and paths mean the same. */
  readonly text: ColumnType;
  /** Whole numbers up to 2^53. */
  readonly integer: ColumnType;
  /** Doubles. */
  readonly real: ColumnType;
  /** A primary key that counts up by itself. */
  readonly counting: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
  /** Ends a table: SQLite checks types only when told so. */
  readonly strict: RawBuilder<unknown>;
  /** Likewise, for a table kept in the order of its key. */
  readonly strictByKey: RawBuilder<unknown>;
}

export function columnsOf(db: Kysely<unknown>): Columns {
  return db.getExecutor().adapter instanceof PostgresAdapter ? POSTGRES : SQLITE;
}

const SQLITE: Columns = {
  isPostgres: false,
  text: 'text',
  integer: 'integer',
  real: 'real',
  counting: (column) => column.primaryKey().autoIncrement(),
  strict: sql`strict`,
  strictByKey: sql`strict, without rowid`,
};

const POSTGRES: Columns = {
  isPostgres: true,
  text: sql`text collate "C"`,
  integer: 'bigint',
  real: 'double precision',
  counting: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
  strict: sql``,
  strictByKey: sql``,
};
