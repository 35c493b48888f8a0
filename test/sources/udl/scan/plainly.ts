/** What scanning must yield, by the plainest means: every record through `JSON.parse`. */
import type { ArtifactFormat } from '../../../../src/core/product.ts';
import { parseObTime } from '../../../../src/sources/udl/scan/ob-time.ts';
import { description, parseJson, textMember, writeRecord } from '../../../../src/sources/udl/scan/parsed-record.ts';
import type { JsonRecord } from '../../../../src/sources/udl/scan/python-literal.ts';
import { SLICE } from './scan-body.ts';

/** All records parsed, then written over the union of the kept ones' keys. @throws SyntaxError */
export function plainly(body: string, format: ArtifactFormat) {
  const all = parseJson(body) as readonly JsonRecord[];
  const inside = (record: JsonRecord): boolean => {
    const ms = parseObTime(textMember(record, 'obTime') ?? '');
    return ms >= SLICE.startMs && ms < SLICE.endMs;
  };
  const kept = all.filter(inside);
  const columns = [...new Set(kept.flatMap((record) => Object.keys(record)))];
  const written = kept.map((record) => writeRecord(record, columns, format));
  const readings = kept.map((record) => {
    const id = textMember(record, 'idSensor')?.trim() ?? '';
    const sensors: Record<string, string> = { 'Iridium-106': 'REACH-105', 'Iridium-102': 'REACH-101' };
    const sensor = id === '' ? (sensors[textMember(record, 'observatoryName') ?? ''] ?? '?') : id;
    return {
      sensor,
      reading: JSON.stringify([sensor, description(record), parseObTime(textMember(record, 'obTime') ?? '')]),
    };
  });
  const perSensor: Record<string, number> = {};
  for (const { sensor } of readings) perSensor[sensor] = (perSensor[sensor] ?? 0) + 1;
  return {
    received: all.length,
    outside: all.length - kept.length,
    columns,
    text: format === 'csv' ? written.join('') : written.join(', '),
    counts: {
      records: kept.length,
      distinctReadings: new Set(readings.map(({ reading }) => reading)).size,
      recordsPerSensor: perSensor,
    },
  };
}
