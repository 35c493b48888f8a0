/**
 * What operators are told (TRACK-15): failures of one cause form an alert, derived from `day_states`, so that a kill loses
 * none; the messages about it wait in an outbox until they were taken.
 */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Alert, AlertPhase } from '../core/report/alert-text.ts';
import type { Day } from '../core/time/day.ts';
import type { LedgerTables } from './schema.ts';
import { storableText } from './storable-text.ts';

/** A run that stopped as a whole: nothing in `attempts` tells of it. */
export interface RunStop {
  readonly product: ProductSlug;
  /** Where it was met. */
  readonly day: Day;
  readonly cause: string;
  readonly detail: string;
}

export interface OutboxMessage {
  readonly id: number;
  readonly alert: string;
  readonly text: string;
  /** Earlier tries. */
  readonly tries: number;
}

export interface AlertWording {
  /** An alert is told of once it is this old, so that failures of one moment share a message. */
  readonly settleMs: number;
  readonly opens: (alert: Alert) => string;
  readonly closes: (alert: Alert) => string;
}

export interface AlertStore {
  /**
   * Brings alerts up to date with the failed days and puts what is to be told into the outbox: one message when an alert is
   * `settleMs` old, one when none of its days is failed any more. One that ended before it was told of is not told of.
   */
  updateAlerts(wording: AlertWording): Promise<void>;
  /** Opens an alert of a stopped run, once until `endStops`. */
  noteStop(stop: RunStop): Promise<void>;
  /** The product's run goes on: its stops are over. */
  endStops(product: ProductSlug): Promise<void>;
  /**
   * Takes the next message that is due for `leaseMs`: nobody else gets it meanwhile. The closing message of an alert waits for
   * its opening one. Null when none is due.
   */
  claimMessage(leaseMs: number): Promise<OutboxMessage | null>;
  messageSent(id: number): Promise<void>;
  messageFailed(id: number, why: string, retryInMs: number): Promise<void>;
}

type Trx = Transaction<LedgerTables>;

/** Columns that name a phase of a day in both tables. */
const SAME_DAY = sql`s.product = d.product and s.day = d.day and s.phase = d.phase and s.destination = d.destination`;
const CAUSE = sql`coalesce(s.error_type, 'unknown')`;

export function createAlertStore(db: Kysely<LedgerTables>, now: () => number): AlertStore {
  const isoIn = (ms: number): string => new Date(now() + ms).toISOString();
  return {
    updateAlerts: ({ settleMs, opens, closes }) =>
      db.transaction().execute(async (trx) => {
        await letGo(trx);
        await takeUp(trx, isoIn(0));
        await closeEmpty(trx, isoIn(0), closes);
        await announce(trx, isoIn(0), isoIn(-settleMs), opens);
      }),

    noteStop: ({ product, day, cause, detail }) =>
      db.transaction().execute(async (trx) => {
        const group = { product, phase: 'stop', cause, detail } as const;
        const alert = (await openAlert(trx, group)) ?? (await insertAlert(trx, group, isoIn(0)));
        const met = { product, day, phase: 'stop', destination: cause, alert } as const;
        const joined = await trx
          .insertInto('alert_days')
          .values(met)
          .onConflict((conflict) => conflict.doNothing())
          .returning('day')
          .execute();
        await countDays(trx, alert, joined.length);
      }),

    async endStops(product) {
      await db.deleteFrom('alert_days').where('product', '=', product).where('phase', '=', 'stop').execute();
    },

    claimMessage: (leaseMs) => db.transaction().execute((trx) => claim(trx, isoIn(0), isoIn(leaseMs))),

    async messageSent(id) {
      await db
        .updateTable('outbox')
        .set({ sent_at: isoIn(0), claimed_until: null })
        .where('id', '=', id)
        .execute();
    },

    async messageFailed(id, why, retryInMs) {
      await db
        .updateTable('outbox')
        .set((column) => ({
          tries: column('tries', '+', 1),
          due_at: isoIn(retryInMs),
          claimed_until: null,
          last_error: storableText(why),
        }))
        .where('id', '=', id)
        .execute();
    },
  };
}

/** Days leave that are failed no more, or for another cause; one whose retry is under way stays. */
async function letGo(trx: Trx): Promise<void> {
  await sql`delete from alert_days as d where exists (
    select 1 from day_states s, alerts a
    where a.id = d.alert and ${SAME_DAY} and (
      s.status not in ('FAILED', 'DOWNLOAD_PENDING', 'PROCESS_PENDING', 'UPLOAD_PENDING')
      or (s.status = 'FAILED' and ${CAUSE} <> a.cause)))`.execute(trx);
}

/** Failed days that belong to no alert join the open one of their cause, or open one. */
async function takeUp(trx: Trx, at: string): Promise<void> {
  const untold = sql`s.status = 'FAILED' and not exists (select 1 from alert_days d where ${SAME_DAY})`;
  const { rows: groups } = await sql<{ product: ProductSlug; phase: AlertPhase; cause: string; detail: string | null }>`
    select g.product, g.phase, g.cause, t.error_message as detail from (
      select s.product, s.phase, ${CAUSE} as cause, min(s.seq) as seq from day_states s where ${untold}
      group by s.product, s.phase, ${CAUSE}) as g
    join attempts t on t.seq = g.seq`.execute(trx);
  for (const group of groups) {
    const alert = (await openAlert(trx, group)) ?? (await insertAlert(trx, group, at));
    const { rows: joined } = await sql`
      insert into alert_days (product, day, phase, destination, alert)
      select s.product, s.day, s.phase, s.destination, ${alert} from day_states s
      where s.product = ${group.product} and s.phase = ${group.phase} and ${CAUSE} = ${group.cause} and ${untold}
      returning day`.execute(trx);
    await countDays(trx, alert, joined.length);
  }
}

async function countDays(trx: Trx, alert: string, more: number): Promise<void> {
  await trx
    .updateTable('alerts')
    .set((column) => ({ days: column('days', '+', more) }))
    .where('id', '=', alert)
    .execute();
}

interface Group {
  readonly product: ProductSlug;
  readonly phase: AlertPhase;
  readonly cause: string;
  readonly detail: string | null;
}

async function openAlert(trx: Trx, { product, phase, cause }: Group): Promise<string | undefined> {
  const found = await trx
    .selectFrom('alerts')
    .select('id')
    .where('product', '=', product)
    .where('phase', '=', phase)
    .where('cause', '=', cause)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  return found?.id;
}

async function insertAlert(trx: Trx, { product, phase, cause, detail }: Group, at: string): Promise<string> {
  const id = randomBytes(4).toString('hex');
  const state = { days: 0, opened_at: at, announced_at: null, closed_at: null };
  const kept = detail === null ? null : storableText(detail);
  await trx
    .insertInto('alerts')
    .values({ id, product, phase, cause, detail: kept, ...state })
    .execute();
  return id;
}

async function closeEmpty(trx: Trx, at: string, closes: AlertWording['closes']): Promise<void> {
  const ended = await trx
    .updateTable('alerts')
    .set({ closed_at: at })
    .where('closed_at', 'is', null)
    .where((is) =>
      is.not(is.exists(is.selectFrom('alert_days').select('day').whereRef('alert_days.alert', '=', 'alerts.id'))),
    )
    .returningAll()
    .execute();
  for (const alert of ended) {
    if (alert.announced_at === null) continue;
    await putMessage(trx, alert.id, 'closes', closes({ ...alert, firstDay: null }), at);
  }
}

async function announce(trx: Trx, at: string, openedBy: string, opens: AlertWording['opens']): Promise<void> {
  const due = await trx
    .selectFrom('alerts')
    .innerJoin('alert_days', 'alert_days.alert', 'alerts.id')
    .select(['alerts.id', 'alerts.product', 'alerts.phase', 'alerts.cause', 'alerts.detail'])
    .select((select) => [
      select.fn.min('alert_days.day').as('firstDay'),
      select.fn.count<number>('alert_days.day').distinct().as('days'),
    ])
    .where('closed_at', 'is', null)
    .where('announced_at', 'is', null)
    .where('opened_at', '<=', openedBy)
    .groupBy(['alerts.id', 'alerts.product', 'alerts.phase', 'alerts.cause', 'alerts.detail'])
    .execute();
  for (const alert of due) {
    await putMessage(trx, alert.id, 'opens', opens(alert), at);
    await trx.updateTable('alerts').set({ announced_at: at }).where('id', '=', alert.id).execute();
  }
}

async function putMessage(trx: Trx, alert: string, kind: 'opens' | 'closes', body: string, at: string): Promise<void> {
  const untried = { tries: 0, due_at: at, claimed_until: null, sent_at: null, last_error: null };
  await trx
    .insertInto('outbox')
    .values({ alert, kind, body, ...untried })
    .execute();
}

async function claim(trx: Trx, at: string, until: string): Promise<OutboxMessage | null> {
  const next = await trx
    .selectFrom('outbox as o')
    .select(['o.id', 'o.alert', 'o.body', 'o.tries'])
    .where('o.sent_at', 'is', null)
    .where('o.due_at', '<=', at)
    .where((is) => is.or([is('o.claimed_until', 'is', null), is('o.claimed_until', '<=', at)]))
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('outbox as earlier')
            .select('earlier.id')
            .whereRef('earlier.alert', '=', 'o.alert')
            .whereRef('earlier.id', '<', 'o.id')
            .where('earlier.sent_at', 'is', null),
        ),
      ),
    )
    .orderBy('o.id')
    .limit(1)
    .executeTakeFirst();
  if (next === undefined) return null;
  await trx.updateTable('outbox').set({ claimed_until: until }).where('id', '=', next.id).execute();
  return { id: next.id, alert: next.alert, text: next.body, tries: next.tries };
}
