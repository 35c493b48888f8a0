/** A small store for tests: periods of four steps, one sharded measurement, one text per period, two axes. */
import { encodeChunk, encodeShard, GROUP_KEY } from '../../../src/formats/zarr/index.ts';
import type { ArraySchema, GroupSchema, ObjectStore, PeriodBytes } from '../../../src/formats/zarr/index.ts';

export const STEPS = 4;
const PERIODS_PER_AXIS_OBJECT = 3;

const value: ArraySchema = {
  name: 'value',
  type: 'float64',
  dimensions: ['step', 'place'],
  shape: [STEPS, 2],
  grows: 'periods',
  chunk: [STEPS, 2],
  innerChunk: [STEPS, 1],
  compression: 'zstd',
  fill: NaN,
  attributes: { units: 'km' },
};

const source: ArraySchema = {
  name: 'source',
  type: 'string',
  dimensions: ['period'],
  shape: [1],
  grows: 'periods',
  chunk: [1],
  compression: 'zstd',
  fill: '',
  attributes: {},
};

export const SCHEMA: GroupSchema = {
  attributes: { title: 'a test', Conventions: 'CF-1.11' },
  arrays: [
    {
      name: 'step',
      type: 'int32',
      dimensions: ['step'],
      shape: [STEPS],
      grows: 'periods',
      chunk: [STEPS * PERIODS_PER_AXIS_OBJECT],
      compression: 'blosc',
      fill: 0,
      attributes: { units: 'seconds since 2025-01-01 00:00:00', calendar: 'standard' },
      generated: (index) =>
        Int32Array.from(
          { length: STEPS * PERIODS_PER_AXIS_OBJECT },
          (_, i) => 5 * (index * STEPS * PERIODS_PER_AXIS_OBJECT + i),
        ),
    },
    {
      name: 'place',
      type: 'string',
      dimensions: ['place'],
      shape: [2],
      grows: 'no',
      chunk: [2],
      compression: 'zstd',
      fill: '',
      attributes: {},
      generated: () => ['left', 'right é'],
    },
    value,
    source,
  ],
  periodName: (period) => `p${period}`,
  periodOf: (name) => Number(name.slice(1)),
};

/** The values `[step, place]` of a period in its `version`-th edition; edition 0 has nothing at the right place. */
export function valuesOf(period: number, version: number): number[][] {
  return Array.from({ length: STEPS }, (_, step) => [period * 10 + step + version / 8, version === 0 ? NaN : -step]);
}

export async function bytesOf(period: number, version: number): Promise<PeriodBytes> {
  const rows = valuesOf(period, version);
  const parts = [0, 1].map((place) => Float64Array.from(rows, (row) => row[place]!));
  const chunks = await Promise.all(
    parts.map((part) => (part.every(Number.isNaN) ? Promise.resolve(null) : encodeChunk(value, part))),
  );
  return { value: encodeShard(value, chunks), source: await encodeChunk(source, [`${period}-${version}`]) };
}

/** Every object's content, for comparing stores byte by byte. */
export async function contentOf(store: ObjectStore): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for await (const { key } of store.list('')) {
    const { bytes } = (await store.get(key))!;
    content[key] = key === GROUP_KEY ? Buffer.from(bytes).toString() : Buffer.from(bytes).toString('hex');
  }
  return content;
}
