/**
 * What counting a day's records yields, and what is counted.
 *
 * - A *record* is one element of the source's list that was kept: `start ≤ obTime < end`.
 * - A *reading* is one distinct (sensor, dosimeter description, instant); duplicates with a later `createdAt`
 *   are further records of the same reading. The sensor is `idSensor`, or when that is blank the sensor that flies on
 *   `observatoryName`; the description is `seoList[0].obDescription`.
 */
export interface RecordCounts {
  /** Records in the artifact. */
  readonly records: number;
  /** Distinct readings among them. */
  readonly distinctReadings: number;
  /** Records by sensor id; the key `?` collects records whose sensor cannot be told. Keys ascending. */
  readonly recordsPerSensor: Readonly<Record<string, number>>;
}

/** `records / expected × 100`, not capped (TEL, column 8). */
export function availabilityPct(records: number, expected: number): number {
  return (records / expected) * 100;
}
