import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SENSORS, SENSOR_BY_ID } from '../../src/core/constellation.ts';
import { isPipelineError } from '../../src/core/errors.ts';
import {
  ARTIFACT_FORMATS,
  DESCRIPTORS,
  artifactFileName,
  expectedRecords,
  parseDescriptor,
  parseProductSlug,
  parseSensor,
  productSlug,
} from '../../src/core/product.ts';
import type { Product } from '../../src/core/product.ts';
import { dayWorkflowId, rangeWorkflowId, taskQueues } from '../../src/core/backfill/ids.ts';
import { parseDay } from '../../src/core/time/day.ts';

const products = fc.record({
  sensor: fc.constantFrom('ALL', ...SENSORS.map(({ id }) => id), 'REACH-999'),
  descriptor: fc.constantFrom(...DESCRIPTORS),
  format: fc.constantFrom(...ARTIFACT_FORMATS),
}) satisfies fc.Arbitrary<Product>;

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return null;
}

describe('product slugs', () => {
  test('parseProductSlug is the inverse of productSlug', () => {
    fc.assert(
      fc.property(products, (product) => {
        expect(parseProductSlug(productSlug(product))).toEqual(product);
      }),
    );
  });

  test('two products never share a slug', () => {
    fc.assert(
      fc.property(products, products, (a, b) => {
        expect(productSlug(a) === productSlug(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  test.for([
    '',
    'reach-all',
    'reach-all/final',
    'Reach-All/quicklook',
    'reach-all/quicklook/csv',
    'reach-all/quicklook/json/x',
  ])('"%s" is none', (slug) => {
    expect(() => parseProductSlug(slug)).toThrow(`"${slug}" is not a product slug`);
  });
});

describe('what an operator types', () => {
  test.for([
    ['ALL', 'ALL'],
    ['all', 'ALL'],
    ['REACH-ALL', 'ALL'],
    ['101', 'REACH-101'],
    ['reach-101', 'REACH-101'],
    [' REACH-181 ', 'REACH-181'],
  ] as const)('UDL-D8: sensor "%s" is %s', ([text, sensor]) => {
    expect(parseSensor(text)).toBe(sensor);
  });

  test.for(['', 'REACH-1', '999', 'ALLES', 'REACH-101;', 'constructor'])('UDL-D8: sensor "%s" is refused', (text) => {
    const error = thrownBy(() => parseSensor(text));
    expect(isPipelineError(error, 'config_invalid')).toBe(true);
    expect(String(error)).toContain(`"${text}"`);
  });

  test('UDL-D8: an unknown REACH-<number> only when admitted, nothing else even then', () => {
    expect(parseSensor('999', true)).toBe('REACH-999');
    expect(() => parseSensor('ICON-1', true)).toThrow('Unknown sensor');
    expect(() => parseSensor('REACH-1/../..', true)).toThrow('Unknown sensor');
  });

  test.for([
    ['QUICKLOOK', 'QUICKLOOK'],
    ['provisional', 'PROVISIONAL'],
    ['PRELIMINARY', 'PROVISIONAL'],
  ] as const)('CLI-D3: descriptor "%s" is %s', ([text, descriptor]) => {
    expect(parseDescriptor(text)).toBe(descriptor);
  });

  test('CLI-D3: another descriptor is refused, naming those that are', () => {
    const error = thrownBy(() => parseDescriptor('FINAL'));
    expect(error).toMatchObject({ kind: 'config_invalid', message: 'Unknown descriptor "FINAL".' });
    expect(error).toHaveProperty('hint', expect.stringMatching(/QUICKLOOK.*PROVISIONAL/));
  });
});

describe('what follows from a product', () => {
  const all: Product = { sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' };
  const one: Product = { sensor: 'REACH-101', descriptor: 'PROVISIONAL', format: 'json' };

  test('TEL column 7: records of a full day', () => {
    expect([expectedRecords(all), expectedRecords(one)]).toEqual([1_105_920, 34_560]);
  });

  test('UDL-27: file names, over the end of a year and a leap day', () => {
    expect(artifactFileName(all, parseDay('2025-12-31'))).toBe('REACH-ALL_20251231T000000_20260101T000000.csv');
    expect(artifactFileName(one, parseDay('2024-02-28'))).toBe('REACH-101_20240228T000000_20240229T000000.json');
  });

  test('design §2: ids on the server; the one of a day carries no range', () => {
    const slug = productSlug(all);
    const [first, last] = [parseDay('2025-09-01'), parseDay('2025-09-30')];
    expect(rangeWorkflowId('data-1f2e', slug, first, last)).toBe(
      'backfill/data-1f2e/reach-all/quicklook/2025-09-01..2025-09-30',
    );
    expect(dayWorkflowId('data-1f2e', slug, first)).toBe('day/data-1f2e/reach-all/quicklook/2025-09-01');
    expect(Object.values(taskQueues('w'))).toEqual(['reachback-w', 'reachback-w-download', 'reachback-w-build']);
  });
});

test('the constellation: 32 sensors, each once, each on a satellite of its own', () => {
  expect(SENSORS).toHaveLength(32);
  expect(SENSOR_BY_ID.size).toBe(32);
  expect(new Set(SENSORS.map(({ observatory }) => observatory)).size).toBe(32);
  expect(SENSORS.map(({ id }) => id)).toEqual(SENSORS.map(({ id }) => id).toSorted());
});
