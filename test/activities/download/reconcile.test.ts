/** The kept records come to agree with the source's count, whatever the source does with the end of a range, at a bounded price. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { reconcile } from '../../../src/activities/download/reconcile.ts';
import type { KnownSlice, Reconciled } from '../../../src/activities/download/reconcile.ts';
import { sliceRange } from '../../../src/core/slices.ts';
import type { Slice } from '../../../src/core/slices.ts';

const SLICES = 288;
const LENGTH_MS = 300_000;
const SOME = sliceRange(0, SLICES * LENGTH_MS, LENGTH_MS, 'half-open');

/** A source that holds the instants `times` and includes the end of a range or does not. */
class Archive {
  counts = 0;
  fetches = 0;
  times: readonly number[];
  readonly #includesEnd: boolean;

  constructor(times: readonly number[], includesEnd: boolean) {
    this.times = times;
    this.#includesEnd = includesEnd;
  }

  #within({ queryStartMs, queryEndMs }: Slice): number[] {
    return this.times.filter((ms) => ms >= queryStartMs && (this.#includesEnd ? ms <= queryEndMs : ms < queryEndMs));
  }

  readonly count = async (range: Slice): Promise<number> => {
    this.counts += 1;
    return this.#within(range).length;
  };

  know(slice: Slice): KnownSlice {
    const within = this.#within(slice);
    const records = within.filter((ms) => ms < slice.endMs).length;
    return { slice, records, outside: within.length - records };
  }

  readonly fetch = async (slice: Slice): Promise<KnownSlice> => {
    this.fetches += 1;
    return this.know(slice);
  };

  knowAll(): KnownSlice[] {
    return SOME.map((slice) => this.know(slice));
  }

  get ofDay(): number {
    return this.times.filter((ms) => ms < SLICES * LENGTH_MS).length;
  }
}

/** Every 10 s, the next day too. */
const REGULAR = Array.from({ length: 30 * (SLICES + 2) }, (_, index) => index * 10_000);

function agree(archive: Archive, known: KnownSlice[]): Promise<Reconciled> {
  return reconcile(known, archive, 4);
}

test.for([true, false])('a day that is whole costs one question (end included: %s)', async (includesEnd) => {
  const archive = new Archive([...REGULAR, 299_999.5, 300_000.5], includesEnd);
  const result = await agree(archive, archive.knowAll());
  expect(result).toEqual({ counted: archive.ofDay, kept: archive.ofDay, fetched: 0 });
  expect(archive).toMatchObject({ counts: 1, fetches: 0 });
});

test.for([true, false])(
  'one late slice is found by halving and fetched alone (end included: %s)',
  async (includesEnd) => {
    const archive = new Archive(REGULAR, includesEnd);
    const known = archive.knowAll();
    archive.times = [...REGULAR, 17 * LENGTH_MS + 1, 17 * LENGTH_MS + 2];
    expect(await agree(archive, known)).toEqual({ counted: archive.ofDay, kept: archive.ofDay, fetched: 1 });
    expect(archive.fetches).toBe(1);
    // The day with and without its end, and afterwards, and one half at each of nine levels at most.
    expect(archive.counts).toBeLessThanOrEqual(3 + 9);
  },
);

test('UDL-14: late data on and beside the ends of compatible slices, which keep them', async () => {
  const compat = sliceRange(0, SLICES * LENGTH_MS, LENGTH_MS, 'compat');
  const archive = new Archive(REGULAR, true);
  const known = compat.map((slice) => archive.know(slice));
  archive.times = [...REGULAR, 17 * LENGTH_MS, 18 * LENGTH_MS - 1_000, 144 * LENGTH_MS, 144 * LENGTH_MS + 1_000];
  expect(await agree(archive, known)).toEqual({ counted: archive.ofDay, kept: archive.ofDay, fetched: 4 });
});

test('records that come late exactly on a boundary are found in the slice they belong to', async () => {
  const archive = new Archive(REGULAR, true);
  const known = archive.knowAll();
  archive.times = [...REGULAR, 144 * LENGTH_MS];
  expect(await agree(archive, known)).toMatchObject({ counted: archive.ofDay, kept: archive.ofDay });
  expect(archive.fetches).toBeLessThanOrEqual(2);
});

test("the next midnight's records, which were not there before, are not taken for missing", async () => {
  const archive = new Archive(
    REGULAR.filter((ms) => ms < SLICES * LENGTH_MS),
    true,
  );
  const known = archive.knowAll();
  archive.times = REGULAR;
  expect(await agree(archive, known)).toMatchObject({ counted: archive.ofDay, kept: archive.ofDay, fetched: 0 });
});

test('a source that counts what it never gives: bounded, and told', async () => {
  const archive = new Archive(REGULAR, true);
  let counts = 0;
  const strange = {
    fetch: archive.fetch,
    count: async (range: Slice) => {
      counts += 1;
      return (await archive.count(range)) + (range.startMs === 0 ? 5 : 0);
    },
  };
  const result = await reconcile(archive.knowAll(), strange, 4);
  expect(result).toEqual({ counted: archive.ofDay + 5, kept: archive.ofDay, fetched: 1 });
  expect(counts).toBeLessThanOrEqual(10);
});

const RULES: readonly (readonly [string, (slice: number) => boolean])[] = [
  ['all include it', () => true],
  ['none includes it', () => false],
  ['every other one includes it', (slice) => slice % 2 === 0],
  ['those of the second half include it', (slice) => slice >= SLICES / 2],
];

/** Slices were answered by one rule each, and counts follow one of their own. */
function mixed(times: readonly number[], rule: (slice: number) => boolean, countsInclude: boolean) {
  const [including, excluding] = [new Archive(times, true), new Archive(times, false)];
  const of = (slice: Slice): Archive => (rule(SOME.indexOf(slice)) ? including : excluding);
  const asked = { counts: 0, fetches: 0 };
  const hooks = {
    count: (range: Slice) => {
      asked.counts += 1;
      return (countsInclude ? including : excluding).count(range);
    },
    fetch: (slice: Slice) => {
      asked.fetches += 1;
      return of(slice).fetch(slice);
    },
  };
  return { hooks, asked, known: () => SOME.map((slice) => of(slice).know(slice)), ofDay: including.ofDay };
}

const MIXED = RULES.flatMap(([name, rule]) => [true, false].map((counts) => [name, counts, rule] as const));

test.for(MIXED)(
  'a whole day is whole where slices and counts treat an end differently (%s, a count does: %s): two questions, no slice again',
  async ([, countsInclude, rule]) => {
    const { hooks, asked, known, ofDay } = mixed(REGULAR, rule, countsInclude);
    expect(await reconcile(known(), hooks, 4)).toEqual({ counted: ofDay, kept: ofDay, fetched: 0 });
    expect(asked.counts).toBeLessThanOrEqual(2);
    expect(asked.fetches).toBe(0);
  },
);

test.for(MIXED)(
  'what came late is found there as well (%s, a count does: %s), below the price of the day',
  async ([, countsInclude, rule]) => {
    const late = [17 * LENGTH_MS + 1, 17 * LENGTH_MS + 2, 200 * LENGTH_MS + 3];
    const before = mixed(REGULAR, rule, countsInclude).known();
    const { hooks, asked, ofDay } = mixed([...REGULAR, ...late], rule, countsInclude);
    expect(await reconcile(before, hooks, 4)).toMatchObject({ counted: ofDay, kept: ofDay });
    expect(asked.counts + asked.fetches).toBeLessThan(SLICES / 2);
  },
);

test('property: whatever is added or withdrawn anywhere, what is kept ends as the source has it, below the price of the day', async () => {
  const instants = fc.array(fc.integer({ min: 0, max: (SLICES + 1) * 2 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(instants, fc.boolean(), fc.boolean(), async (halves, includesEnd, late) => {
      // On boundaries and in the middle of slices alike.
      const changed = [...new Set(halves)].map((half) => half * (LENGTH_MS / 2));
      const without = REGULAR.filter((ms) => !changed.includes(ms));
      const archive = new Archive(late ? without : [...without, ...changed], includesEnd);
      const known = archive.knowAll();
      archive.times = late ? [...without, ...changed] : without;
      const result = await agree(archive, known);
      expect(result).toMatchObject({ counted: archive.ofDay, kept: archive.ofDay });
      expect(archive.counts).toBeLessThanOrEqual(8 + 3 * 72);
    }),
    { numRuns: 40 },
  );
});
