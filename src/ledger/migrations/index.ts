/** The schema's history in order. Names are stored in every ledger file: never rename, edit or reorder a released one. */
import type { Migration } from 'kysely/migration';
import * as initial from './0001-initial.ts';
import * as sourceChecks from './0002-source-checks.ts';
import * as rollUps from './0003-roll-ups.ts';
import * as zarrDays from './0004-zarr-days.ts';
import * as notifications from './0005-notifications.ts';
import * as restoredProducts from './0006-restored-products.ts';
import * as workspace from './0007-workspace.ts';
import * as poorSlices from './0008-poor-slices.ts';
import * as passes from './0009-passes.ts';
import * as toldAttempts from './0010-told-attempts.ts';

export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-initial': { up: initial.up },
  '0002-source-checks': { up: sourceChecks.up },
  '0003-roll-ups': { up: rollUps.up },
  '0004-zarr-days': { up: zarrDays.up },
  '0005-notifications': { up: notifications.up },
  '0006-restored-products': { up: restoredProducts.up },
  '0007-workspace': { up: workspace.up },
  '0008-poor-slices': { up: poorSlices.up },
  '0009-passes': { up: passes.up },
  '0010-told-attempts': { up: toldAttempts.up },
};
