import { expect, test } from 'vitest';
import { daySlices } from '../../../src/core/slices.ts';
import { parseDay } from '../../../src/core/time/day.ts';
import { slicePath } from '../../../src/sources/udl/request.ts';
import type { Product } from '../../../src/core/product.ts';

const ALL: Product = { sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' };
const slice = daySlices(parseDay('2026-01-01'), 'ALL', 'half-open')[0]!;

test('UDL-2: parameters in exactly this order, no idSensor for ALL', () => {
  expect(slicePath({ product: ALL, slice })).toBe(
    '/udl/spaceenvobservation?obTime=2026-01-01T00:00:00.000Z..2026-01-01T00:05:00.000Z&source=Aerospace&dataMode=REAL&descriptor=QUICKLOOK&sort=obTime',
  );
});

test('UDL-2: one sensor is named behind obTime', () => {
  const product: Product = { sensor: 'REACH-101', descriptor: 'PROVISIONAL', format: 'json' };
  expect(slicePath({ product, slice })).toMatch(
    /Z&idSensor=REACH-101&source=Aerospace&dataMode=REAL&descriptor=PROVISIONAL&sort=obTime$/,
  );
});

test('UDL-D12: values are encoded, except ":" and "."', () => {
  const path = slicePath({ product: { ...ALL, sensor: 'A&b=c d/é:.' }, slice });
  expect(path).toContain('&idSensor=A%26b%3Dc%20d%2F%C3%A9:.&');
});

test('UDL-4: sub-seconds are cut off, never rounded', () => {
  const path = slicePath({ product: ALL, slice: { ...slice, queryEndMs: slice.queryEndMs + 999 } });
  expect(path).toContain('..2026-01-01T00:05:00.000Z&');
});

test('UDL-D7: a part of a second is asked for to the millisecond', () => {
  const startMs = slice.startMs + 250;
  const part = { startMs, endMs: startMs + 250, queryStartMs: startMs, queryEndMs: startMs + 250, milliseconds: true };
  expect(slicePath({ product: ALL, slice: part })).toContain('=2026-01-01T00:00:00.250Z..2026-01-01T00:00:00.500Z&');
});
