/** What every ledger promises about alerts and their messages, whatever database it stands on. */
import { describe, expect, test } from 'vitest';
import { addDays } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import type { LedgerFactory } from './contract.ts';
import { DAY, NEXT_DAY, QUICKLOOK, attempt, createClock, temporaryFolder } from './support.ts';

const SETTLE_MS = 30_000;
const LEASE_MS = 20_000;

export function describeAlerts(name: string, open: LedgerFactory): void {
  async function setUp() {
    const clock = createClock();
    const ledger = await open(temporaryFolder(), clock.now);
    const update = (): Promise<void> =>
      ledger.updateAlerts({
        settleMs: SETTLE_MS,
        opens: ({ id, cause, phase, days, firstDay, detail }) =>
          `${id} opens ${phase} ${cause} ${days} ${firstDay} ${detail}`,
        closes: ({ id, cause, days }) => `${id} closes ${cause} ${days}`,
      });
    return { clock, ledger, update };
  }

  let runs = 0;
  const fail = async (ledger: SqlLedger, day: Day, kind: 'slice_exhausted' | 'input_invalid' = 'slice_exhausted') => {
    runs += 1;
    await ledger.failStage(attempt({ day, workflowRunId: `failing-${runs}` }), {
      stage: 'download',
      kind,
      message: `no luck with ${day}`,
    });
  };
  const succeed = async (ledger: SqlLedger, day: Day): Promise<void> => {
    runs += 1;
    await ledger.closeStage(attempt({ day, workflowRunId: `good-${runs}` }), {
      status: 'SKIPPED_NO_DATA',
      seconds: 1,
      reason: 'nothing',
    });
  };

  /** Claims and settles everything due. */
  const takeAll = async (ledger: SqlLedger): Promise<string[]> => {
    const texts: string[] = [];
    for (;;) {
      const message = await ledger.claimMessage(LEASE_MS);
      if (message === null) return texts.map((text) => text.slice(9));
      texts.push(message.text);
      await ledger.messageSent(message.id);
    }
  };

  describe(`${name}: alerts`, () => {
    test('TRACK-15: failures of one cause share one opening message, with count and first day, and one closing one', async () => {
      const { clock, ledger, update } = await setUp();
      await fail(ledger, NEXT_DAY);
      await update();
      expect(await takeAll(ledger)).toEqual([]);
      clock.advance(SETTLE_MS - 1);
      await fail(ledger, DAY);
      await update();
      clock.advance(1);
      await update();
      await update();
      expect(await takeAll(ledger)).toEqual([`opens download slice_exhausted 2 ${DAY} no luck with ${NEXT_DAY}`]);

      await fail(ledger, addDays(NEXT_DAY, 1));
      clock.advance(SETTLE_MS);
      await update();
      expect(await takeAll(ledger)).toEqual([]);

      await succeed(ledger, DAY);
      await succeed(ledger, NEXT_DAY);
      await update();
      expect(await takeAll(ledger)).toEqual([]);
      await succeed(ledger, addDays(NEXT_DAY, 1));
      await update();
      await update();
      expect(await takeAll(ledger)).toEqual(['closes slice_exhausted 3']);
    });

    test('TRACK-15: a retry under way neither closes an alert nor opens another', async () => {
      const { clock, ledger, update } = await setUp();
      await fail(ledger, DAY);
      await update();
      clock.advance(SETTLE_MS);
      await update();
      expect(await takeAll(ledger)).toHaveLength(1);
      await ledger.openStage(attempt({ runId: 'run-2', workflowRunId: 'retry' }));
      await update();
      await fail(ledger, DAY);
      clock.advance(SETTLE_MS);
      await update();
      expect(await takeAll(ledger)).toEqual([]);
    });

    test('TRACK-15: another cause is another alert, and the day leaves the first', async () => {
      const { clock, ledger, update } = await setUp();
      await fail(ledger, DAY);
      await update();
      clock.advance(SETTLE_MS);
      await update();
      await fail(ledger, DAY, 'input_invalid');
      await update();
      clock.advance(SETTLE_MS);
      await update();
      expect(await takeAll(ledger)).toEqual([
        `opens download slice_exhausted 1 ${DAY} no luck with ${DAY}`,
        'closes slice_exhausted 1',
        `opens download input_invalid 1 ${DAY} no luck with ${DAY}`,
      ]);
    });

    test('TRACK-15: what was over before it was told of is not told of', async () => {
      const { clock, ledger, update } = await setUp();
      await fail(ledger, DAY);
      await update();
      await succeed(ledger, DAY);
      clock.advance(SETTLE_MS);
      await update();
      expect(await takeAll(ledger)).toEqual([]);
    });

    test('TRACK-15: a stop is told once until the run goes on, and again when it stops again', async () => {
      const { clock, ledger, update } = await setUp();
      const stop = { product: QUICKLOOK, day: DAY, cause: 'auth_rejected', detail: '403' };
      const told = async (): Promise<string[]> => {
        await update();
        clock.advance(SETTLE_MS);
        await update();
        return await takeAll(ledger);
      };
      await ledger.noteStop(stop);
      await ledger.noteStop(stop);
      expect(await told()).toEqual([`opens stop auth_rejected 1 ${DAY} 403`]);
      await ledger.noteStop({ ...stop, day: NEXT_DAY });
      expect(await told()).toEqual([]);
      await ledger.endStops(QUICKLOOK);
      expect(await told()).toEqual(['closes auth_rejected 2']);
      await ledger.noteStop(stop);
      expect(await told()).toEqual([`opens stop auth_rejected 1 ${DAY} 403`]);
    });

    test('TRACK-15: a message is one sender’s while it is claimed, due again after a failure, and closings wait for their opening', async () => {
      const { clock, ledger, update } = await setUp();
      await fail(ledger, DAY);
      await update();
      clock.advance(SETTLE_MS);
      await update();
      await succeed(ledger, DAY);
      await update();
      const first = await ledger.claimMessage(LEASE_MS);
      expect(first).toMatchObject({ tries: 0, text: expect.stringContaining('opens') });
      expect(await ledger.claimMessage(LEASE_MS)).toBeNull();
      // Its sender was killed.
      clock.advance(LEASE_MS);
      const second = await ledger.claimMessage(LEASE_MS);
      expect(second).toEqual(first);
      await ledger.messageFailed(second!.id, 'HTTP 500', 60_000);
      expect(await ledger.claimMessage(LEASE_MS)).toBeNull();
      clock.advance(60_000);
      expect(await ledger.claimMessage(LEASE_MS)).toEqual({ ...first, tries: 1 });
      await ledger.messageSent(first!.id);
      expect(await takeAll(ledger)).toEqual(['closes slice_exhausted 1']);
    });
  });
}
