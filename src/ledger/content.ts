/** All that a ledger file holds, table by table, for comparing two of them. Reads only. */
import Database from 'better-sqlite3';

export type LedgerContent = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

/**
 * @param file - of a SQLite ledger that nobody writes to meanwhile
 * @throws Error when the file is none, or is damaged
 */
export function readLedgerContent(file: string): LedgerContent {
  const sqlite = new Database(file, { readonly: true, fileMustExist: true });
  try {
    const state = sqlite.pragma('integrity_check', { simple: true });
    if (state !== 'ok') throw new Error(`${file} is damaged: ${String(state)}`);
    const tables = sqlite
      .prepare(
        `select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name`,
      )
      .pluck()
      .all() as string[];
    return Object.fromEntries(
      tables.map((name) => [name, sqlite.prepare(`select * from "${name}"`).all() as Record<string, unknown>[]]),
    );
  } finally {
    sqlite.close();
  }
}
