import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Archive } from '../../simulator/archive/archive.ts';
import type { RecordFilter } from '../../simulator/archive/archive.ts';
import type { ArchiveOptions } from '../../simulator/archive/options.ts';
import { SENSORS, SENSOR_BY_ID } from '../../src/core/constellation.ts';
import type { RecordCounts } from '../../src/core/records/counts.ts';
import type { SimRecord } from './support.ts';

const DAY = '2025-09-01';
const DAY_MS = 86_400_000;
const START = Date.parse(`${DAY}T00:00:00Z`);
const FIXTURES = join(import.meta.dirname, '../fixtures/reach');
const SAMPLE_JSON = join(FIXTURES, 'REACH-ALL_20251201T013010_20251205T060517.json');
const SAMPLE_CSV = join(FIXTURES, 'REACH-TEST_20250904T000000_20250904T010000.csv');

function text(archive: Archive, fromMs: number, toMs: number, filter: RecordFilter = {}): string {
  return archive.render({ descriptor: 'QUICKLOOK', ...filter, fromMs, toMs }).toString();
}

function records(archive: Archive, fromMs: number, toMs: number, filter: RecordFilter = {}): readonly SimRecord[] {
  return JSON.parse(text(archive, fromMs, toMs, filter)) as readonly SimRecord[];
}

/** Counts as `RecordCounts` defines it, from the parsed records alone. */
function countParsed(list: readonly SimRecord[]): RecordCounts {
  const byObservatory = new Map(SENSORS.map((sensor) => [sensor.observatory, sensor.id]));
  const readings = new Set<string>();
  const perSensor: Record<string, number> = {};
  for (const record of list) {
    const sensor = record.idSensor || (byObservatory.get(record.observatoryName) ?? '?');
    readings.add(`${sensor}|${record.seoList[0].obDescription}|${record.obTime}`);
    perSensor[sensor] = (perSensor[sensor] ?? 0) + 1;
  }
  return { records: list.length, distinctReadings: readings.size, recordsPerSensor: perSensor };
}

describe('determinism', () => {
  test('the same seed gives the same bytes in another archive, whatever was asked before', () => {
    const first = new Archive({ seed: 7 });
    const second = new Archive({ seed: 7 });
    text(second, START + 3_600_000, START + 3_700_000);
    text(second, START - 5_000, START + 1);
    expect(text(second, START, START + 60_000)).toBe(text(first, START, START + 60_000));
  });

  test('another seed gives other orbits, doses and ids', () => {
    const a = records(new Archive({ seed: 1 }), START, START + 5_000);
    const b = records(new Archive({ seed: 2 }), START, START + 5_000);
    expect(b.map((record) => record.id)).not.toEqual(a.map((record) => record.id));
    expect(b[0]!.lat).not.toBe(a[0]!.lat);
  });

  test('any partition of a range gives the bytes of the whole, with all irregularities', () => {
    const archive = new Archive({
      cadenceS: 30,
      irregularities: { gaps: 40, blanks: 400, duplicates: 400, offGrid: 400 },
    });
    const from = START + DAY_MS - 1_800_000;
    const to = from + 2_700_000;
    const whole = text(archive, from, to);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: from, max: to }), { maxLength: 8 }), (cuts) => {
        const edges = [from, ...cuts.toSorted((a, b) => a - b), to];
        const parts = edges.slice(1).map((edge, index) => text(archive, edges[index]!, edge).slice(1, -1));
        expect(`[${parts.filter((part) => part !== '').join(',')}]`).toBe(whole);
      }),
      { numRuns: 30 },
    );
    expect(JSON.parse(whole)).toHaveLength(archive.count({ fromMs: from, toMs: to, descriptor: 'QUICKLOOK' }));
  });

  test('any paging of a range gives the bytes of the whole', () => {
    const archive = new Archive({ irregularities: { duplicates: 5_000 } });
    const asked = { fromMs: START, toMs: START + 60_000, descriptor: 'QUICKLOOK' };
    const whole = archive.render(asked).toString();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (limit) => {
        const parts: string[] = [];
        for (let skip = 0; skip < archive.count(asked); skip += limit) {
          parts.push(archive.render(asked, { skip, limit }).toString().slice(1, -1));
        }
        expect(`[${parts.join(',')}]`).toBe(whole);
      }),
      { numRuns: 20 },
    );
  });

  test('records ascend by obTime and every id is unique', () => {
    const list = records(
      new Archive({ irregularities: { duplicates: 5_000, offGrid: 5_000 } }),
      START,
      START + 300_000,
    );
    const times = list.map((record) => record.obTime);
    expect(times).toEqual(times.toSorted());
    expect(new Set(list.map((record) => record.id)).size).toBe(list.length);
  });
});

describe('records', () => {
  const sample = JSON.parse(readFileSync(SAMPLE_JSON, 'utf8')) as readonly SimRecord[];
  const slice = records(new Archive({ irregularities: { blanks: 0 } }), START, START + 300_000);

  test("UDL §6: all 25 fields in the real sample's order and types, nested ones too", () => {
    const shape = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shape);
      if (typeof value !== 'object' || value === null) return typeof value;
      return Object.entries(value).map(([key, nested]) => [key, shape(nested)]);
    };
    const expected = shape(sample[0]);
    expect(Object.keys(sample[0]!)).toHaveLength(25);
    for (const record of slice) expect(shape(record)).toEqual(expected);
  });

  test('are as long as real ones: 800 to 880 bytes on average', () => {
    const real = JSON.stringify(sample).length / sample.length;
    const made = JSON.stringify(slice).length / slice.length;
    expect(made).toBeGreaterThan(800);
    expect(made).toBeLessThan(880);
    expect(Math.abs(made - real)).toBeLessThan(40);
  });

  test('hold what the constellation says of each sensor: host, pod model, flavors', () => {
    const described = new Set(slice.map((record) => `${record.idSensor} ${record.seoList[0].obDescription}`));
    expect(described.size).toBe(64);
    for (const record of slice) expect(record.observatoryName).toBe(SENSOR_BY_ID.get(record.idSensor!)!.observatory);
    const known = new Set(sample.map((record) => `${record.idSensor} ${record.seoList[0].obDescription}`));
    for (const pair of known) expect(described).toContain(pair);
  });

  test('lie on plausible orbits: altitude 779–809 km, position and latitude agree, lon in −180…180', () => {
    const day = records(new Archive({ cadenceS: 300 }), START, START + DAY_MS);
    for (const { lat, lon, alt, senPos } of day) {
      const radius = Math.hypot(...senPos);
      expect(alt).toBeGreaterThan(778.5);
      expect(alt).toBeLessThan(809.5);
      expect(Math.abs(lon)).toBeLessThanOrEqual(180);
      expect(Math.abs(lat)).toBeLessThan(86.6);
      expect(Math.abs((Math.asin(senPos[2] / radius) * 180) / Math.PI - lat)).toBeLessThan(0.2);
    }
    expect(Math.max(...day.map((record) => record.lat))).toBeGreaterThan(86);
  });

  test('lon and senPos agree as they do in the real sample: their difference is the sidereal angle of the instant', () => {
    const offset = (record: SimRecord): number => {
      const rightAscension = (Math.atan2(record.senPos[1], record.senPos[0]) * 180) / Math.PI;
      return (rightAscension - record.lon + 720) % 360;
    };
    const sampleMs = Date.parse(sample[0]!.obTime);
    const made = records(new Archive(), sampleMs, sampleMs + 1);
    for (const record of made) expect(offset(record)).toBeCloseTo(offset(sample[0]!), 0);
  });

  test('have full-precision numbers that differ from instant to instant', () => {
    const lats = slice.filter((record) => record.idSensor === 'REACH-101').map((record) => record.lat);
    expect(new Set(lats).size).toBe(lats.length / 2);
    expect(lats.filter((lat) => String(Math.abs(lat)).length >= 15).length).toBeGreaterThan(lats.length * 0.9);
  });

  test('read mostly 0, small positive doses, and rarely −1e+31; quality is a whole number as text', () => {
    const hour = records(new Archive(), START, START + 3_600_000);
    const doses = hour.map((record) => record.seoList[0].obValue);
    const share = (predicate: (dose: number) => boolean): number => doses.filter(predicate).length / doses.length;
    expect(share((dose) => dose === 0)).toBeGreaterThan(0.6);
    expect(share((dose) => dose > 0 && dose < 0.01)).toBeGreaterThan(0.25);
    expect(share((dose) => dose === -1e31)).toBeGreaterThan(0);
    expect(share((dose) => dose === -1e31)).toBeLessThan(0.005);
    expect(new Set(hour.map((record) => record.seoList[0].obQuality))).toEqual(new Set(['0', '4', '16']));
  });

  test.for([
    { descriptor: 'QUICKLOOK', leastHours: 1.5, mostDays: 4.8 },
    { descriptor: 'PROVISIONAL', leastHours: 28 * 24, mostDays: 92 },
  ])('UDL §6: $descriptor arrives as late as in the samples', ({ descriptor, leastHours, mostDays }) => {
    for (const record of records(new Archive({ tiny: true }), START, START + DAY_MS, { descriptor })) {
      const lagHours = (Date.parse(record.createdAt) - Date.parse(record.obTime)) / 3_600_000;
      expect(lagHours).toBeGreaterThan(leastHours);
      expect(lagHours).toBeLessThan(mostDays * 24);
      expect(record.createdAt > record.genTime).toBe(true);
      expect(record.descriptor).toBe(descriptor);
    }
  });
});

describe('expected counts', () => {
  const cases: { name: string; options: ArchiveOptions; filter: RecordFilter }[] = [
    { name: 'tiny', options: { tiny: true }, filter: {} },
    { name: 'another seed', options: { tiny: true, seed: 99 }, filter: {} },
    { name: 'one sensor', options: { tiny: true }, filter: { idSensor: 'REACH-148' } },
    { name: 'PROVISIONAL', options: { tiny: true }, filter: { descriptor: 'PROVISIONAL' } },
    { name: 'both descriptors', options: { tiny: true }, filter: { descriptor: undefined } },
    { name: 'three sensors', options: { tiny: true, sensors: ['REACH-101', 'REACH-181', 'REACH-148'] }, filter: {} },
    {
      name: 'many irregular things that meet',
      options: { cadenceS: 3_600, irregularities: { gaps: 200, blanks: 500, duplicates: 500, offGrid: 100 } },
      filter: {},
    },
    {
      name: 'the same for one sensor',
      options: { cadenceS: 3_600, irregularities: { gaps: 200, blanks: 500, duplicates: 500, offGrid: 100 } },
      filter: { idSensor: 'REACH-101' },
    },
    {
      name: 'real records among synthetic ones',
      options: { tiny: true, replay: { files: [SAMPLE_JSON] } },
      filter: {},
    },
  ];
  test.for(cases)('equal what is counted in the served bodies: $name', ({ options, filter }) => {
    const archive = new Archive(options);
    const day = options.replay ? '2025-12-01' : DAY;
    const start = Date.parse(`${day}T00:00:00Z`);
    const merged = { descriptor: 'QUICKLOOK', ...filter };
    const served = records(archive, start, start + DAY_MS, merged);
    expect(archive.expectedDay(day, merged)).toEqual(countParsed(served));
    expect(archive.count({ ...merged, fromMs: start, toMs: start + DAY_MS })).toBe(served.length);
    expect(served.length).toBeGreaterThan(0);
  });

  test('a 5-minute slice at the full cadence counts as it is served', () => {
    const archive = new Archive({ irregularities: { gaps: 10, blanks: 3_000, duplicates: 3_000 } });
    const served = records(archive, START, START + 300_001);
    expect(archive.count({ fromMs: START, toMs: START + 300_001, descriptor: 'QUICKLOOK' })).toBe(served.length);
    expect(served.length).toBeGreaterThan(3_800);
  });

  test('a full day is 1,105,920 nominal records less its gaps, plus its duplicates', () => {
    const clean = new Archive({ irregularities: { gaps: 0, blanks: 0, duplicates: 0 } });
    expect(clean.expectedDay(DAY, { descriptor: 'QUICKLOOK' })).toMatchObject({
      records: 1_105_920,
      distinctReadings: 1_105_920,
    });
    const usual = new Archive().expectedDay(DAY, { descriptor: 'QUICKLOOK' });
    expect(usual.distinctReadings).toBeLessThan(1_105_920);
    expect(usual.distinctReadings).toBeGreaterThan(1_095_000);
    expect(usual.records - usual.distinctReadings).toBeGreaterThan(0);
    expect(usual.records - usual.distinctReadings).toBeLessThanOrEqual(24);
    expect(Object.keys(usual.recordsPerSensor)).toHaveLength(32);
  });
});

describe('irregular things', () => {
  const busy = new Archive({ cadenceS: 300, irregularities: { gaps: 8, blanks: 30, duplicates: 60, offGrid: 20 } });
  const list = records(busy, START, START + DAY_MS);

  test('blank sensor ids are absent, empty or null, with the observatory in place', () => {
    const blanks = list.filter((record) => !record.idSensor);
    expect(new Set(blanks.map((record) => ('idSensor' in record ? record.idSensor : 'absent')))).toEqual(
      new Set(['absent', '', null]),
    );
    for (const record of blanks) expect(record.observatoryName).toMatch(/^Iridium-\d+$/);
  });

  test('UDL §6: a copy has the same reading, a later createdAt, another id and another dose; on either side', () => {
    const groups = Map.groupBy(
      list,
      (record) => `${record.observatoryName}|${record.seoList[0].obDescription}|${record.obTime}`,
    );
    const copies = [...groups.values()].filter((group) => group.length > 1);
    expect(copies.length).toBeGreaterThan(40);
    for (const group of copies) {
      expect(group).toHaveLength(2);
      expect(group[0]!.id).not.toBe(group[1]!.id);
      expect(group[0]!.createdAt).not.toBe(group[1]!.createdAt);
      expect(group[0]!.senPos).toEqual(group[1]!.senPos);
    }
    const newestFirst = copies.filter((group) => group[0]!.createdAt > group[1]!.createdAt).length;
    expect(newestFirst).toBeGreaterThan(0);
    expect(newestFirst).toBeLessThan(copies.length);
    expect(copies.some((group) => group[0]!.seoList[0].obValue !== group[1]!.seoList[0].obValue)).toBe(true);
  });

  test('UDL-D7: off-grid readings lie inside open seconds', () => {
    const offGrid = list.filter((record) => !record.obTime.endsWith('.000Z'));
    expect(offGrid.length).toBeGreaterThan(15);
  });

  test('a gap silences one sensor for a span and leaves the others', () => {
    const { recordsPerSensor } = busy.expectedDay(DAY, { descriptor: 'QUICKLOOK' });
    const clean = 2 * 288;
    expect(Object.values(recordsPerSensor).some((count) => count < clean)).toBe(true);
    expect(Object.values(recordsPerSensor).some((count) => count >= clean)).toBe(true);
  });

  test('differ from day to day', () => {
    const other = busy.expectedDay('2025-09-02', { descriptor: 'QUICKLOOK' });
    expect(other.recordsPerSensor).not.toEqual(busy.expectedDay(DAY, { descriptor: 'QUICKLOOK' }).recordsPerSensor);
  });
});

describe('days without data', () => {
  const nothing = { records: 0, distinctReadings: 0, recordsPerSensor: {} };

  test.for<{ name: string; options: ArchiveOptions; empty: string[]; full: string[] }>([
    {
      name: 'a list',
      options: { emptyDays: ['2025-09-02'] },
      empty: ['2025-09-02'],
      full: ['2025-09-01', '2025-09-03'],
    },
    { name: 'a rule', options: { emptyDays: (day) => day.endsWith('5') }, empty: ['2025-09-15'], full: ['2025-09-16'] },
    {
      name: 'an extent',
      options: { firstDay: '2025-09-02', lastDay: '2025-09-03' },
      empty: ['2025-09-01', '2025-09-04'],
      full: ['2025-09-02', '2025-09-03'],
    },
  ])('$name', ({ options, empty, full }) => {
    const archive = new Archive({ tiny: true, ...options });
    for (const day of empty) expect(archive.expectedDay(day)).toEqual(nothing);
    for (const day of full) expect(archive.expectedDay(day).records).toBeGreaterThan(1_000);
    const start = Date.parse(`${empty[0]}T00:00:00Z`);
    expect(text(archive, start, start + DAY_MS)).toBe('[]');
  });

  test('UDL §9: other sources, modes and sensors have no records', () => {
    const archive = new Archive({ tiny: true });
    for (const filter of [{ source: 'Other' }, { dataMode: 'TEST' }, { idSensor: 'REACH-999' }, { descriptor: 'X' }]) {
      expect(text(archive, START, START + DAY_MS, filter)).toBe('[]');
    }
  });
});

describe('late data', () => {
  test('fills gaps of a past day, two records a cell, days later; the rest of the day stays byte for byte', () => {
    const archive = new Archive({ tiny: true });
    const before = records(archive, START, START + DAY_MS);
    const revision = archive.revision;
    expect(archive.deliverLate(DAY, 2)).toBe(2);
    expect(archive.revision).not.toBe(revision);

    const after = records(archive, START, START + DAY_MS);
    const known = new Set(before.map((record) => record.id));
    const added = after.filter((record) => !known.has(record.id));
    expect(added).toHaveLength(4);
    for (const record of added) {
      expect(Date.parse(record.createdAt) - Date.parse(record.obTime)).toBeGreaterThan(5 * DAY_MS);
    }
    expect(after.filter((record) => known.has(record.id))).toEqual(before);
    expect(archive.expectedDay(DAY, { descriptor: 'QUICKLOOK' })).toEqual(countParsed(after));
  });

  test('all of it fills every gap; reset takes it away', () => {
    const archive = new Archive({ tiny: true, irregularities: { duplicates: 0 } });
    const before = archive.expectedDay(DAY, { descriptor: 'QUICKLOOK' });
    const cells = archive.deliverLate(DAY);
    expect(before.records + 2 * cells).toBe(1_536);
    expect(archive.expectedDay(DAY, { descriptor: 'QUICKLOOK' }).records).toBe(1_536);
    expect(archive.deliverLate(DAY)).toBe(0);
    archive.reset();
    expect(archive.expectedDay(DAY, { descriptor: 'QUICKLOOK' })).toEqual(before);
  });
});

describe('replay of real samples', () => {
  const archive = new Archive({ replay: { files: [SAMPLE_JSON, SAMPLE_CSV], rest: 'empty' } });

  test('the JSON sample comes back record for record, numbers exact', () => {
    const start = Date.parse('2025-12-01T00:00:00Z');
    const sample = JSON.parse(readFileSync(SAMPLE_JSON, 'utf8')) as readonly SimRecord[];
    expect(records(archive, start, start + DAY_MS)).toEqual(
      sample.toSorted((a, b) => (a.obTime < b.obTime ? -1 : a.obTime > b.obTime ? 1 : 0)),
    );
  });

  test('the CSV sample becomes objects with its ten fields: 716 records, 32 sensors, 13 times', () => {
    const start = Date.parse('2025-09-04T00:00:00Z');
    const list = records(archive, start, start + DAY_MS);
    expect(list).toHaveLength(716);
    expect(new Set(list.map((record) => record.idSensor)).size).toBe(32);
    expect(new Set(list.map((record) => record.obTime)).size).toBe(13);
    expect(list.filter((record) => record.seoList[0].obValue === -1e31)).toHaveLength(2);
    expect(Object.keys(list[0]!)).toHaveLength(10);
    expect(list[0]).toMatchObject({ idSensor: 'REACH-175', lat: -45.90163778991727 });
    expect(archive.expectedDay('2025-09-04')).toEqual(countParsed(list));
  });

  test('by default the other instants of the day stay synthetic', () => {
    const mixed = new Archive({ replay: { files: [SAMPLE_CSV] }, irregularities: { gaps: 0 } });
    const start = Date.parse('2025-09-04T00:00:00Z');
    const list = records(mixed, start, start + 65_001);
    expect(list.filter((record) => record.obTime <= '2025-09-04T00:01:00.000Z')).toHaveLength(716);
    expect(list.filter((record) => record.obTime === '2025-09-04T00:01:05.000Z')).toHaveLength(64);
  });
});

describe('bad options', () => {
  test.for<{ options: ArchiveOptions; message: string }>([
    { options: { seed: 1.5 }, message: 'seed is 1.5' },
    { options: { cadenceS: 7 }, message: 'cadenceS is 7' },
    { options: { sensors: ['REACH-999'] }, message: 'sensors is REACH-999' },
    { options: { sensors: [] }, message: 'sensors is an empty list' },
    { options: { descriptors: [] }, message: 'descriptors is an empty list' },
    { options: { irregularities: { gaps: -1 } }, message: 'irregularities.gaps is -1' },
    { options: { emptyDays: ['2025-02-30'] }, message: 'emptyDays is 2025-02-30' },
    { options: { firstDay: '1.9.2025' }, message: 'firstDay is 1.9.2025' },
    { options: { replay: { files: ['a.txt'] } }, message: 'replay.files' },
  ])('$message is refused by name, value and expectation', ({ options, message }) => {
    const replay = options.replay ? { replay: { files: [join(import.meta.dirname, 'support.ts')] } } : {};
    expect(() => new Archive({ ...options, ...replay })).toThrow(
      expect.objectContaining({ kind: 'config_invalid', message: expect.stringContaining(message) }),
    );
  });
});
