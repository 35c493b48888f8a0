import type { RecordCounts } from '../../core/records/counts.ts';

/** Counts of a whole from those of its parts, which are disjoint in time; so are their readings. */
export function sumOfCounts(parts: readonly RecordCounts[]): RecordCounts {
  const perSensor = new Map<string, number>();
  let records = 0;
  let distinctReadings = 0;
  for (const part of parts) {
    records += part.records;
    distinctReadings += part.distinctReadings;
    for (const [id, count] of Object.entries(part.recordsPerSensor))
      perSensor.set(id, (perSensor.get(id) ?? 0) + count);
  }
  const recordsPerSensor = Object.fromEntries([...perSensor].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { records, distinctReadings, recordsPerSensor };
}
