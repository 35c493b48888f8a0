import { openSqliteLedger } from '../../src/ledger/sqlite.ts';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { describeAlerts } from './alerts-contract.ts';
import { describeLedger } from './contract.ts';
import type { LedgerFactory } from './contract.ts';
import { describeImport } from './import-contract.ts';
import { describeZarrRecords } from './zarr-contract.ts';

const open: LedgerFactory = async (root, now) => {
  const ledger = await openSqliteLedger({ file: join(root, 'state', 'reachback.db'), root, now });
  onTestFinished(() => ledger.close());
  return ledger;
};

describeLedger('SQLite', open);
describeZarrRecords('SQLite', open);
describeAlerts('SQLite', open);
describeImport('SQLite', open);
