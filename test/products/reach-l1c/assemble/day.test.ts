/**
 * A day put together from readings, against a naive model that follows CDF-12…19 word by word with sorts and maps.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arrangeByTime,
  dropDuplicates,
  smallestStep,
  soleDescriptor,
} from '../../../../src/products/reach-l1c/assemble/arrange.ts';
import { makeBlocks } from '../../../../src/products/reach-l1c/assemble/blocks.ts';
import { makeAxes } from '../../../../src/products/reach-l1c/assemble/channels.ts';
import { RecordCollector } from '../../../../src/products/reach-l1c/assemble/collector.ts';
import { Row } from '../../../../src/products/reach-l1c/read/row.ts';

interface Reading {
  readonly sensor: string;
  readonly description: string;
  readonly time: number;
  readonly createdAt: number;
  /** obValue, obQuality, lat, lon, alt, senPos. */
  readonly values: readonly number[];
}

interface Day {
  readonly labels: readonly string[];
  readonly flavors: readonly (readonly string[])[];
  readonly epoch: readonly bigint[];
  readonly doseRate: readonly number[];
  readonly perSensor: readonly (readonly number[])[];
  readonly duplicates: number;
}

const FILL = -1e31;

function assembled(readings: readonly Reading[]): Day {
  const collector = new RecordCollector();
  const row = new Row();
  for (const { sensor, description, time, createdAt, values } of readings) {
    row.numbers.set([time, createdAt, ...values]);
    row.sensorId = collector.vocabulary.sensorIds.codeOf(sensor);
    row.description = collector.vocabulary.descriptions.codeOf(description);
    row.descriptor = collector.vocabulary.descriptors.codeOf('QUICKLOOK');
    collector.accept(row);
  }
  const { store, channels, vocabulary } = collector;
  const { kept, duplicates } = dropDuplicates(arrangeByTime(store), store, channels.list.length);
  const axes = makeAxes(channels, vocabulary);
  const epoch: bigint[] = [];
  const doseRate: number[] = [];
  const perSensor: number[][] = Array.from({ length: 7 }, () => []);
  for (const block of makeBlocks(kept, store, axes)) {
    epoch.push(...block.epoch);
    doseRate.push(...block.doseRate);
    for (const [index, values] of block.perSensor.entries()) perSensor[index]!.push(...values);
  }
  return { labels: axes.sensorLabels, flavors: axes.flavors, epoch, doseRate, perSensor, duplicates };
}

function modelled(readings: readonly Reading[]): Day {
  const ranked = readings
    .map((reading, place) => ({ ...reading, place }))
    .toSorted((a, b) => b.createdAt - a.createdAt || a.place - b.place);
  const kept: typeof ranked = [];
  const met = new Set<string>();
  for (const reading of ranked) {
    const key = JSON.stringify([reading.sensor, reading.description, reading.time]);
    if (!met.has(key)) kept.push(reading);
    met.add(key);
  }
  const labels = [...new Set(kept.map(({ sensor }) => sensor))].toSorted();
  const own = labels.map((label) =>
    [...new Set(kept.filter(({ sensor }) => sensor === label).map(({ description }) => description))].toSorted(),
  );
  const width = Math.max(...own.map((list) => list.length));
  const flavors = own.map((list) => [...list, ...Array<string>(width - list.length).fill('')]);
  const times = [...new Set(kept.map(({ time }) => time))].toSorted((a, b) => a - b);
  const at = (time: number, label: string) => kept.filter((r) => r.time === time && r.sensor === label);
  const doseRate = times.flatMap((time) =>
    labels.flatMap((label, sensor) =>
      flavors[sensor]!.map((flavor) =>
        orFill(at(time, label).find(({ description }) => description === flavor)?.values[0]),
      ),
    ),
  );
  const perSensor = Array.from({ length: 7 }, (_, index) => {
    // The order of the variables: lat, lon, alt, obQuality, then the position.
    const slot = [2, 3, 4, 1, 5, 6, 7][index]!;
    return times.flatMap((time) => labels.map((label) => orFill(at(time, label)[0]?.values[slot])));
  });
  const epoch = times.map((time) => BigInt(time) * 1000n);
  return { labels, flavors, epoch, doseRate, perSensor, duplicates: readings.length - kept.length };
}

function orFill(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? FILL : value;
}

const value = fc.oneof(fc.integer({ min: -100, max: 100 }), fc.constant(NaN));
const reading: fc.Arbitrary<Reading> = fc.record({
  sensor: fc.constantFrom('REACH-180', 'REACH-101', 'REACH-105'),
  description: fc.constantFrom('DOSE2 (Flavor U)', 'DOSE1 (Flavor X)', 'DOSE1 (Flavor Y)'),
  time: fc.constantFrom(820497669184000, 820497669184001, 820497674184000, -1000000),
  createdAt: fc.constantFrom(-Infinity, 1, 2, 3),
  values: fc.array(value, { minLength: 8, maxLength: 8 }),
});

describe('CDF-12…19, CDF-D14: order, duplicates, axes, arrays', () => {
  test('are those of the naive model for any readings in any order, that of time too', () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 40 }), fc.boolean(), (any, isSorted) => {
        const readings = isSorted ? any.toSorted((a, b) => a.time - b.time) : any;
        expect(assembled(readings)).toEqual(modelled(readings));
      }),
      { numRuns: 500 },
    );
  });

  test('do not depend on the order of the file when createdAt decides', () => {
    const distinctAges = fc.uniqueArray(reading, {
      selector: ({ createdAt, time, sensor }) => `${createdAt} ${time} ${sensor}`,
      minLength: 2,
    });
    const shuffled = distinctAges.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([readings, others]) => {
        expect(assembled(others)).toEqual(assembled(readings));
      }),
      { numRuns: 200 },
    );
  });

  test('go through several segments and blocks without a seam', () => {
    const many = Array.from({ length: 70_000 }, (_, i): Reading => {
      const time = ((i * 7919) % 70_000) * 1_000_000;
      return { sensor: 'REACH-101', description: 'DOSE1', time, createdAt: 1, values: [time, 0, i, 0, 0, 0, 0, 0] };
    });
    const { epoch, doseRate, perSensor } = assembled(many);
    expect(epoch).toEqual(Array.from({ length: 70_000 }, (_, i) => BigInt(i) * 1_000_000_000n));
    expect(doseRate).toEqual(Array.from({ length: 70_000 }, (_, i) => i * 1_000_000));
    expect(perSensor[0]).toEqual(many.toSorted((a, b) => a.time - b.time).map(({ values }) => values[2]));
  });
});

test.for<[times: readonly number[], step: number | null]>([
  [[5], null],
  [[0, 5, 10], 5],
  [[0, 10, 15, 1000], 5],
])('CDF-D9: the smallest step of %j is %s', ([times, step]) => {
  expect(smallestStep(Float64Array.from(times))).toBe(step);
});

test('CDF-20: the descriptors that count are those of the readings that stay', () => {
  const collector = new RecordCollector();
  const row = new Row();
  for (const [createdAt, descriptor] of [
    [1, 'QUICKLOOK'],
    [2, 'PROVISIONAL'],
  ] as const) {
    row.numbers.set([0, createdAt]);
    row.sensorId = collector.vocabulary.sensorIds.codeOf('REACH-101');
    row.description = collector.vocabulary.descriptions.codeOf('DOSE1');
    row.descriptor = collector.vocabulary.descriptors.codeOf(descriptor);
    collector.accept(row);
  }
  const { store, vocabulary } = collector;
  const { kept } = dropDuplicates(arrangeByTime(store), store, 1);
  expect(soleDescriptor(kept, store, vocabulary.descriptors)).toBe('PROVISIONAL');
});
