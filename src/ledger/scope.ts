/** Which days a question is about. */
import { sql } from 'kysely';
import type { SqlBool } from 'kysely';
import type { ReportScope } from './reports.ts';

/** Condition on the columns `product` and `day`, which all tables of a day have. */
export function inScope({ product, first, last }: ReportScope) {
  const conditions = [
    ...(product == null ? [] : [sql<SqlBool>`product = ${product}`]),
    ...(first == null ? [] : [sql<SqlBool>`day >= ${first}`]),
    ...(last == null ? [] : [sql<SqlBool>`day <= ${last}`]),
  ];
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`;
}
