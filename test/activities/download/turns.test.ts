/** What waits in memory for its turn, and what does not: bounds, and nobody waits for ever. */
import { expect, test } from 'vitest';
import type { SliceFile, SliceHeader } from '../../../src/activities/download/slice-file.ts';
import { Turns } from '../../../src/activities/download/turns.ts';
import type { Offer } from '../../../src/activities/download/turns.ts';
import { daySlices } from '../../../src/core/slices.ts';
import { SliceStore } from '../../../src/activities/download/slice-store.ts';
import { DAY, START, makeWorkspace, memoryLedger } from './set-up.ts';

const SLICES = daySlices(DAY, 'ALL', 'half-open').slice(0, 12);
const STEP = 300_000;
const BLOCK = 1_000;
const LIMITS = { mostWaiting: 3, mostBytes: 20 * BLOCK, worthWaitingBytes: BLOCK };

function header(place: number, blockBytes = BLOCK, columns = ['a']): SliceHeader {
  return {
    version: 1,
    product: 'reach-all/quicklook',
    day: DAY,
    startMs: START + place * STEP,
    endMs: START + (place + 1) * STEP,
    columns,
    counts: { records: blockBytes > 0 ? 1 : 0, distinctReadings: 1, recordsPerSensor: {} },
    outside: 0,
    httpStatus: 200,
    bodyBytes: blockBytes,
    seconds: 0,
    fetchedAt: '2026-01-02T00:00:00.000Z',
    blockBytes,
    sha256: '',
  };
}

/** A day whose file is being written by nobody but the test. */
function openDay(limits = LIMITS) {
  const done = new Map<number, SliceFile>();
  const turns = new Turns(SLICES, 'csv', done, limits);
  const stop = new AbortController();
  const order = turns.inOrder(stop.signal);
  const first = order.next();
  first.catch(() => undefined);
  return {
    turns,
    order,
    stop,
    first,
    offer: (place: number, bytes = BLOCK, columns?: string[]): Offer | null =>
      turns.offer(header(place, bytes, columns), new Uint8Array(bytes)),
    finish: (place: number, bytes = BLOCK): void => {
      done.set(START + place * STEP, { path: `own-${place}`, blockStart: 0, header: header(place, bytes) });
      turns.finished(START + place * STEP);
    },
  };
}

type Kept = ReturnType<SliceStore['keep']>;
type Next = Awaited<ReturnType<ReturnType<Turns['inOrder']>['next']>>;

/** Writes the slice whose turn it is at the byte given. @returns which it was */
function write({ value }: Next, start: number): number {
  if (!value || !('block' in value)) throw new Error('no slice in hand');
  value.placed(start);
  return (value.header.startMs - START) / STEP;
}

test('an answer in its turn is no early one, and is told where its block stands', async () => {
  const { offer, first } = openDay();
  const zero = offer(0)!;
  expect(zero.isEarly).toBe(false);
  expect(write(await first, 17)).toBe(0);
  expect(await zero.place).toBe(17);
});

test('three answers wait for one before them; the fourth has a file of its own at once', async () => {
  const { offer, first, order } = openDay();
  const early = [2, 3, 1].map((place) => offer(place));
  expect(early.map((each) => each?.isEarly)).toEqual([true, true, true]);
  expect(offer(4)).toBeNull();
  offer(0);
  const written = [write(await first, 0)];
  for (const start of [10, 20, 30]) written.push(write(await order.next(), start));
  expect(written).toEqual([0, 1, 2, 3]);
  expect(await Promise.all(early.map((each) => each!.place))).toEqual([20, 30, 10]);
});

test('what waits for nothing but its turn is bounded by bytes alone', () => {
  const { offer } = openDay();
  expect(offer(0)).not.toBeNull();
  for (const place of [1, 2, 3, 4, 5]) expect(offer(place)?.isEarly).toBe(false);
  expect(offer(6, 14 * BLOCK)?.isEarly).toBe(false);
  expect(offer(7)).toBeNull();
});

test('the slice whose turn it is waits for nobody, however large', () => {
  const { offer } = openDay();
  expect(offer(1, 15 * BLOCK)?.isEarly).toBe(true);
  expect(offer(2, 6 * BLOCK)).toBeNull();
  expect(offer(0, 100 * BLOCK)?.isEarly).toBe(false);
});

test('a block that is not worth it does not wait, nor one without a byte', () => {
  const { offer } = openDay();
  expect(offer(1, BLOCK - 1)).toBeNull();
  expect(offer(0, 0)).toBeNull();
  expect(offer(0, 1)).not.toBeNull();
});

test('when a slice brings nothing, what waits for it goes into files of its own, and nothing waits for it again', async () => {
  const { offer, turns, finish, first } = openDay();
  const [one, three] = [offer(1)!, offer(3)!];
  turns.isLate(START + 2 * STEP);
  expect(await three.place).toBeNull();
  expect(offer(4)).toBeNull();
  offer(0);
  expect(write(await first, 0)).toBe(0);
  finish(2);
  expect(offer(5)?.isEarly).toBe(true);
  // Before it nothing has changed.
  expect(await Promise.race([one.place, Promise.resolve('waits')])).toBe('waits');
});

test('at the end of a pass only what has all others before it still waits', async () => {
  const { offer, turns, first, order } = openDay();
  const [zero, one, three] = [0, 1, 3].map((place) => offer(place)!) as [Offer, Offer, Offer];
  turns.endWaiting();
  expect(await three.place).toBeNull();
  expect([write(await first, 0), write(await order.next(), 9)]).toEqual([0, 1]);
  expect([await zero.place, await one.place]).toEqual([0, 9]);
});

test('a block under other columns than the day has goes into a file of its own, and comes from there', async () => {
  const { offer, finish, first, order } = openDay();
  offer(0, BLOCK, ['a', 'b']);
  write(await first, 0);
  const other = offer(1, BLOCK, ['a'])!;
  const next = order.next();
  expect(await other.place).toBeNull();
  finish(1);
  expect((await next).value).toMatchObject({ path: 'own-1' });
});

test('nobody waits for a file that is not written any more', async () => {
  const { offer, stop, first, turns } = openDay();
  const waiting = [1, 2].map((place) => offer(place)!.place);
  stop.abort(new Error('stopped'));
  await expect(first).rejects.toThrow('stopped');
  expect(await Promise.all(waiting)).toEqual([null, null]);
  expect(offer(0)).toBeNull();
  turns.endWaiting();
});

test('slices without records have no turn, and what was placed or finished is not taken again', async () => {
  const { offer, finish, first, order } = openDay();
  finish(0, 0);
  finish(1);
  const { value } = (await first) as { value: SliceFile };
  expect(value.path).toBe('own-1');
  expect(offer(0)).toBeNull();
  expect(offer(1)).toBeNull();
  offer(2);
  write(await order.next(), 0);
  expect(offer(2)).toBeNull();
});

test('a slice that cannot be kept ends the waiting of those behind it', async () => {
  const folders = await makeWorkspace();
  const memory = memoryLedger();
  const full: typeof memory = {
    ...memory,
    putSlice: (row) =>
      row.startMs === START + STEP ? Promise.reject(new Error('no space left')) : memory.putSlice(row),
  };
  const request = { product: 'reach-all/quicklook', day: DAY, sliceMode: 'half-open' } as const;
  const store = await SliceStore.open({ ledger: full, folders }, request, SLICES);
  const order = store.inOrder(new AbortController().signal);
  const first = order.next();
  const [zero, one, two] = ['a', 'b', 'a'].map((column, place) => {
    const { columns, counts } = header(place, BLOCK, [column]);
    const facts = { kind: 'data', httpStatus: 200, bodyBytes: 1, seconds: 0, endedAtMs: 0, outside: 0 } as const;
    return store.keep(SLICES[place]!, { ...facts, columns, counts, block: new Uint8Array(BLOCK), sha256: '' });
  }) as [Kept, Kept, Kept];
  expect([zero, one, two].map(({ isEarly }) => isEarly)).toEqual([false, false, false]);
  expect(write(await first, 0)).toBe(0);
  order.next().catch(() => undefined);
  await expect(one.kept).rejects.toThrow('no space left');
  expect(await two.kept).toMatchObject({ slice: SLICES[2] });
  expect(store.files.map(({ isPart = false }) => isPart)).toEqual([true, false]);
  await folders.remove();
});
