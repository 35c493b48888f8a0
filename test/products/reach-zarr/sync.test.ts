import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DirectoryStore, openReader } from '../../../src/formats/zarr/index.ts';
import type { ObjectStore } from '../../../src/formats/zarr/index.ts';
import { syncDays } from '../../../src/products/reach-zarr/index.ts';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import { FaultyStore } from '../../formats/zarr/faulty-store.ts';
import { MemoryStore } from '../../formats/zarr/memory-store.ts';
import { contentOf } from '../../formats/zarr/small-group.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';
import { runPython } from '../../support/python.ts';
import { PUBLISHED_PRODUCT } from '../reach-l1c/support.ts';
import { makeDay, SETTINGS } from './days.ts';

let folder: string;
/** Five days, not next to each other, one with fewer sensors, one of the other profile, one half of a pair. */
let days: ZarrDay[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-zarr-'));
  days = [
    await makeDay(folder, '2026-01-01'),
    await makeDay(folder, '2026-01-02', { sensors: ['REACH-169', 'REACH-105'], profile: 'parity' }),
    await makeDay(folder, '2026-01-03', { withoutFirst: ['REACH-105'] }),
    await makeDay(folder, '2026-01-07', { seconds: [86_395] }),
    await makeDay(folder, '2026-01-08'),
  ];
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function fullBuild(list: readonly ZarrDay[]): Promise<Record<string, string>> {
  const store = new MemoryStore();
  const { written, refused } = await syncDays(store, SETTINGS, list);
  expect([written.length, refused]).toEqual([list.length, []]);
  return await contentOf(store);
}

describe('xarray and zarr-python', () => {
  test('APPEND-12: read the store value for value as cdflib reads the CDFs, consolidated, without a warning', async () => {
    const store = join(await temporaryFolder(), 'reach.zarr');
    await syncDays(new DirectoryStore(store), SETTINGS, days.toReversed());
    const output = await runPython('zarr_against_cdf.py', [store, ...days.map(({ path }) => path)]);
    const seen = JSON.parse(output) as Record<string, unknown>;
    expect(seen).toMatchObject({
      sizes: { time: 8 * 17_280, day: 8, sensor_ids: 32, dosimeter_flavor_ids: 2 },
      first: expect.stringMatching(/^2026-01-01T00:00:00/) as string,
      last: expect.stringMatching(/^2026-01-08T23:59:55/) as string,
      attributes: {
        Conventions: 'CF-1.11',
        UDL_Source: 'QUICKLOOK',
        updating: [],
        time_origin: '2026-01-01T00:00:00Z',
      },
      units: { dose_rate: '0.01 J kg-1 s-1', lat: 'degrees_north', alt: 'km', obQuality: '1' },
      coordinates: [
        'alt',
        'day',
        'dosimeter_flavor_ids',
        'dosimeter_flavors',
        'lat',
        'lon',
        'sensor_ids',
        'sensor_labels',
        'time',
      ],
    });
    expect(seen['compared']).toBeGreaterThan(900);
  });

  test('APPEND-12: read the published product out of the store as it is', async () => {
    const store = join(await temporaryFolder(), 'published.zarr');
    const sha256 = createHash('sha256')
      .update(await readFile(PUBLISHED_PRODUCT))
      .digest('hex');
    const published = { day: '2025-09-04' as ZarrDay['day'], path: PUBLISHED_PRODUCT, sha256 };
    await syncDays(new DirectoryStore(store), { ...SETTINGS, origin: published.day }, [published]);
    const seen = JSON.parse(await runPython('zarr_against_cdf.py', [store, PUBLISHED_PRODUCT])) as { compared: number };
    expect(seen.compared).toBe(832 + 7 * 416);
  });
});

describe('a sync', () => {
  test('APPEND-6: any split, order, repetition and replacement gives the bytes of a full build', async () => {
    const expected = await fullBuild(days);
    // Former editions of days, which later ones replace: of other sensors, of other values.
    const former = [
      await makeDay(folder, '2026-01-02', { edition: 2 }),
      await makeDay(folder, '2026-01-07', { edition: 2, sensors: ['REACH-101'] }),
    ];
    const anyCuts = fc.array(fc.nat({ max: 8 }), { maxLength: 4 });
    const anySequence = fc
      .tuple(
        fc.array(fc.constantFrom(...days, ...former), { maxLength: 4 }),
        fc.shuffledSubarray([...days], { minLength: days.length }),
        fc.array(fc.constantFrom(...days), { maxLength: 3 }),
        anyCuts,
        anyCuts,
      )
      .map(([before, order, repeated, firstCuts, cuts]) => [
        ...batches(before, firstCuts),
        ...batches([...order, ...repeated], cuts),
      ]);
    await fc.assert(
      fc.asyncProperty(anySequence, async (lists) => {
        const store = new MemoryStore();
        for (const list of lists) await syncDays(store, SETTINGS, list);
        expect(await contentOf(store)).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });

  test('APPEND-7: a day that changed is written in place of its former edition, as if it had always been so', async () => {
    const later = await makeDay(folder, '2026-01-02', { edition: 1, sensors: ['REACH-101'] });
    const store = new MemoryStore();
    await syncDays(store, SETTINGS, days);
    const before = await contentOf(store);
    const { written, unchanged } = await syncDays(store, SETTINGS, [later, days[0]!]);
    expect([written.map(({ day }) => day), unchanged.map(({ day }) => day)]).toEqual([['2026-01-02'], ['2026-01-01']]);
    const after = await contentOf(store);
    expect(after).toEqual(await fullBuild([days[0]!, later, ...days.slice(2)]));
    const touched = Object.keys(after).filter((key) => after[key] !== before[key]);
    expect(touched.every((key) => key.includes('/c.1'))).toBe(true);
  });

  test('APPEND-9: stopped at any change of the store and run again, it ends as an undisturbed one', async () => {
    const first = days.slice(0, 2);
    const second = [await makeDay(folder, '2026-01-01', { edition: 1 }), days[3]!];
    const calm = new MemoryStore();
    await syncDays(calm, SETTINGS, first);
    const start = new Map(calm.objects);
    const counting = new FaultyStore(calm, Infinity);
    await syncDays(counting, SETTINGS, second);
    const expected = await contentOf(calm);
    expect(counting.changes).toBeGreaterThan(30);
    for (let survived = 0; survived < counting.changes; survived += 1) {
      const store = new MemoryStore();
      for (const [key, bytes] of start) store.objects.set(key, bytes);
      await expect(syncDays(new FaultyStore(store, survived), SETTINGS, second)).rejects.toThrow('killed');
      await syncDays(store, SETTINGS, second);
      expect(await contentOf(store)).toEqual(expected);
    }
  });

  test('APPEND-9: of a day killed half way nothing shows when other days are synced after it', async () => {
    const store = new MemoryStore();
    await syncDays(store, SETTINGS, [days[0]!]);
    await expect(syncDays(new FaultyStore(store, 5), SETTINGS, [days[1]!])).rejects.toThrow('killed');
    await syncDays(store, SETTINGS, [days[2]!]);
    const reader = await openReader(store);
    expect(reader.attributes['updating']).toEqual(['2026-01-02']);
    await syncDays(store, SETTINGS, [days[1]!]);
    expect(await contentOf(store)).toEqual(await fullBuild(days.slice(0, 3)));
  });

  test('APPEND-3: an empty list touches nothing, bytes and times; a listed day that is there already neither', async () => {
    const path = join(await temporaryFolder(), 'reach.zarr');
    const store = new DirectoryStore(path);
    await syncDays(store, SETTINGS, []);
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await syncDays(store, SETTINGS, days.slice(0, 2));
    const before = await stamps(path);
    expect(await syncDays(store, SETTINGS, [])).toEqual({ created: false, written: [], unchanged: [], refused: [] });
    const again = await syncDays(store, SETTINGS, days.slice(0, 2));
    expect([again.written, again.unchanged.length]).toEqual([[], 2]);
    expect(await stamps(path)).toEqual(before);
  });

  test('APPEND-5: one day costs the same requests and bytes in a store of ten years as in one of ten days', async () => {
    const costs = [];
    for (const [last, next] of [
      ['2026-01-10', '2026-01-11'],
      ['2035-12-30', '2035-12-31'],
    ] as const) {
      const store = new CountingStore();
      await syncDays(store, SETTINGS, [await makeDay(folder, last)]);
      store.reset();
      await syncDays(store, SETTINGS, [await makeDay(folder, next)]);
      costs.push({ gets: store.gets, puts: store.puts, bytes: store.bytes });
    }
    const [short, long] = costs as [Cost, Cost];
    expect([long.gets, long.puts]).toEqual([short.gets, short.puts]);
    // Lengths have more digits, days other texts: a few bytes in documents of some ten thousand.
    expect(Math.abs(long.bytes - short.bytes)).toBeLessThan(0.01 * short.bytes);
  });

  test('the flavor decides the place of a dosimeter, also when the first one of a sensor is missing', async () => {
    const store = new MemoryStore();
    await syncDays(store, SETTINGS, [days[2]!]);
    const doseRate = await (await openReader(store)).array('dose_rate');
    // REACH-105 is the third sensor; its DOSE1 is missing on 2026-01-03, its DOSE2 is there.
    const [first, second] = await Promise.all(
      [0, 1].map(async (slot) => ((await doseRate.getChunk([2, 2, slot])).data as Float64Array)[0]),
    );
    expect(first).toBeNaN();
    expect(second).toBeCloseTo(1 + 105 * 1e-4, 9);
  });
});

describe('SAFE-12: a file that does not fit is refused with what differs, and the others are written', () => {
  test.each([
    {
      what: 'a time off the grid',
      make: () => makeDay(folder, '2026-01-05', { seconds: [0, 5.2] }),
      says: /Epoch record 1 \(5\.2 s of the day\): off the grid of 5 s/,
    },
    {
      what: 'a time of another day',
      make: async () => ({ ...(await makeDay(folder, '2026-01-06')), day: '2026-01-05' }),
      says: /expected a time of 2026-01-05/,
    },
    {
      what: 'another descriptor',
      make: () => makeDay(folder, '2026-01-05', { edition: 3, descriptor: 'PROVISIONAL' }),
      says: /^UDL_Source: expected QUICKLOOK, found PROVISIONAL$/,
    },
    {
      what: 'a day before the origin',
      make: () => makeDay(folder, '2025-12-31'),
      says: /^day: expected 2026-01-01, the origin of this store, or later, found 2025-12-31$/,
    },
    {
      what: 'a file that is not there',
      make: async () => ({ ...(await makeDay(folder, '2026-01-05')), path: join(folder, 'gone.cdf') }),
      says: /^file: expected a CDF, found nothing at its path$/,
    },
    {
      what: 'a file that changed after it was listed',
      make: async () => ({ ...(await makeDay(folder, '2026-01-05')), sha256: 'f'.repeat(64) }),
      says: /^file: expected SHA-256 f{64} as listed, found [0-9a-f]{64}$/,
    },
    { what: 'a file that is no CDF', make: () => notACdf(), says: /^file: / },
  ])('$what', async ({ make, says }) => {
    const odd = (await make()) as ZarrDay;
    const store = new MemoryStore();
    const { written, refused } = await syncDays(store, SETTINGS, [odd, days[0]!]);
    expect(written.map(({ day }) => day)).toEqual(['2026-01-01']);
    expect(refused.map(({ day }) => day)).toEqual([odd.day]);
    expect(refused[0]!.differences.join('\n')).toMatch(says);
    expect(await contentOf(store)).toEqual(await fullBuild([days[0]!]));
  });

  test.each([
    { from: 'rad/s', to: 'Gy/s ', says: 'dose_rate UNITS: expected rad/s or 0.01 J / kg, found Gy/s' },
    {
      from: 'DOSE1 (Flavor X)',
      to: 'DOSE1 (Flavor Q)',
      says: 'dosimeter_flavors of REACH-101: expected DOSE1 (Flavor X)',
    },
    {
      from: 'e\0\0\0i\0\0\0', // the sensors 101 and 105
      to: 'e\0\0\0c\0\0\0',
      says: 'sensor_ids: expected sensors of the constellation, found also 99',
    },
    { from: 'obQuality', to: 'obQualitY', says: 'obQuality: expected a variable of this name, found none' },
  ])('"$to" in place of "$from"', async ({ from, to, says }) => {
    const { path, day } = await makeDay(folder, '2026-01-04', {
      edition: 7,
      profile: from === 'rad/s' ? 'istp' : 'parity',
    });
    const { altered, sha256 } = await alter(path, from, to);
    const { refused } = await syncDays(new MemoryStore(), SETTINGS, [{ day, path: altered, sha256 }]);
    expect(refused[0]!.differences.join('\n')).toContain(says);
  });

  test('another layout of the store is refused as a whole, with the way out', async () => {
    const store = new MemoryStore();
    await syncDays(store, SETTINGS, [days[0]!]);
    const other = syncDays(store, { ...SETTINGS, product: 'reach-all/provisional' }, [days[1]!]);
    await expect(other).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(
        'attributes.product: expected "reach-all/provisional", found "reach-all/quicklook"',
      ) as string,
      hint: expect.stringContaining('zarr rebuild') as string,
    });
  });

  test('with exact times kept, times off the grid are admitted and two at one place are not', async () => {
    const settings = { ...SETTINGS, exactTimes: true };
    const store = new MemoryStore();
    const off = await makeDay(folder, '2026-01-01', { edition: 5, seconds: [0.25, 9, 20] });
    const crowded = await makeDay(folder, '2026-01-02', { edition: 5, seconds: [0, 1] });
    const { written, refused } = await syncDays(store, settings, [off, crowded]);
    expect([written.length, refused.map(({ day }) => day)]).toEqual([1, ['2026-01-02']]);
    expect(refused[0]!.differences).toEqual([
      'Epoch record 1 (1 s of the day): another record has its place on the grid',
    ]);
    const offsets = Array.from(await (await openReader(store)).values('time_offset')) as number[];
    expect(offsets.slice(0, 5)).toEqual([0.25e9, NaN, -1e9, NaN, 0]);
  });
});

async function notACdf(): Promise<ZarrDay> {
  const path = join(folder, 'note.cdf');
  await writeFile(path, 'this is a note, not a CDF'.repeat(100));
  return { day: '2026-01-05' as ZarrDay['day'], path, sha256: '0'.repeat(64) };
}

/** A copy with some text replaced by one of the same length, and no checksum to notice. */
async function alter(path: string, from: string, to: string): Promise<{ altered: string; sha256: string }> {
  const altered = `${path}.altered.cdf`;
  await cp(path, altered);
  const text = (await readFile(altered)).toString('latin1');
  const bytes = Buffer.from(text.replaceAll(from, to.slice(0, from.length)), 'latin1');
  await writeFile(altered, bytes);
  return { altered, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function stamps(path: string): Promise<Record<string, number>> {
  const names = await readdir(path, { recursive: true });
  const pairs = names.map(async (name) => [name, (await stat(join(path, name))).mtimeMs] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

interface Cost {
  readonly gets: number;
  readonly puts: number;
  readonly bytes: number;
}

class CountingStore extends MemoryStore implements ObjectStore {
  gets = 0;
  puts = 0;
  bytes = 0;

  reset(): void {
    this.gets = this.puts = this.bytes = 0;
  }

  override async get(key: string) {
    this.gets += 1;
    return await super.get(key);
  }

  override async put(key: string, bytes: Uint8Array): Promise<void> {
    this.puts += 1;
    this.bytes += bytes.length;
    await super.put(key, bytes);
  }

  override async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    this.puts += 1;
    this.bytes += bytes.length;
    return await super.putIf(key, bytes, expected);
  }
}

function batches<T extends ZarrDay>(items: readonly T[], cuts: readonly number[]): T[][] {
  const ends = [...new Set([...cuts.map((cut) => cut % (items.length + 1)), items.length])].toSorted((a, b) => a - b);
  const lists = ends.map((end, i) => items.slice(i === 0 ? 0 : ends[i - 1], end));
  // A list names each day once.
  return lists.map((list) => [...new Map(list.map((item) => [item.day, item])).values()]);
}
