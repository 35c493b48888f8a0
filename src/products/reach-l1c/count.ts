/**
 * Counts the records of an artifact (see `core/records/counts.ts` for what counts). Runs in a thread; see `thread.ts`.
 */
import type { ArtifactFormat } from '../../core/product.ts';
import { SENSOR_BY_OBSERVATORY } from './assemble/sensors.ts';
import { readArtifact } from './read/artifact.ts';
import { isBlank, Vocabulary } from './read/dictionary.ts';
import { parseInstant } from './read/instant.ts';
import { parseLiteral } from './read/literal.ts';
import { OB_TIME } from './read/row.ts';
import type { RecordFields, Rejection, Row, RowBlock, RowConsumer } from './read/row.ts';
import type { ArtifactCounts, Progress } from './types.ts';

/** Key of records whose sensor cannot be told. */
const UNKNOWN_SENSOR = '?';

/**
 * @param tell - called now and then; may throw to end the work
 * @throws PipelineError `input_invalid` when the file is missing or not one of its format
 */
export function count(path: string, format: ArtifactFormat, tell: (progress: Progress) => void): ArtifactCounts {
  const counter = new RecordCounter();
  const digest = readArtifact(path, format, counter, (bytesRead, bytesTotal) =>
    tell({ phase: 'reading', bytesRead, bytesTotal }),
  );
  return {
    records: counter.records,
    distinctReadings: counter.distinctReadings(),
    recordsPerSensor: counter.recordsPerSensor(),
    ...digest,
  };
}

/** Counts every record; those a product could not use are counted too, as far as they say what they are. */
class RecordCounter implements RowConsumer {
  readonly vocabulary = new Vocabulary();
  records = 0;
  readonly #perSensor = new Map<string, number>();
  /** Instants by sensor, then description. */
  readonly #instants = new Map<string, Map<string, number[]>>();

  columns(): void {}

  note(): void {}

  accept(row: Row): void {
    if (row.element > 0) return;
    const { sensorIds, observatories, descriptions } = this.vocabulary;
    const sensor = sensorOf(sensorIds.text(row.sensorId), observatories.text(row.observatory));
    this.#add(sensor, descriptions.text(row.description), row.numbers[OB_TIME]!);
  }

  acceptBlock(block: RowBlock): void {
    for (let i = 0; i < block.size; i++) this.accept(block.row(i));
  }

  reject({ fields }: Rejection): void {
    const sensor = sensorOf(textOf(fields?.['idSensor']), textOf(fields?.['observatoryName']));
    this.#add(sensor, firstDescription(fields), parseInstant(textOf(fields?.['obTime'])));
  }

  distinctReadings(): number {
    let distinct = 0;
    for (const byDescription of this.#instants.values()) {
      for (const instants of byDescription.values()) {
        const sorted = Float64Array.from(instants).toSorted();
        for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) distinct++;
      }
    }
    return distinct;
  }

  recordsPerSensor(): Record<string, number> {
    return Object.fromEntries([...this.#perSensor].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #add(sensor: string, description: string, instant: number): void {
    this.records++;
    this.#perSensor.set(sensor, (this.#perSensor.get(sensor) ?? 0) + 1);
    if (Number.isNaN(instant)) return;
    let byDescription = this.#instants.get(sensor);
    if (!byDescription) this.#instants.set(sensor, (byDescription = new Map<string, number[]>()));
    const instants = byDescription.get(description);
    if (instants) instants.push(instant);
    else byDescription.set(description, [instant]);
  }
}

function sensorOf(id: string, observatory: string): string {
  return id === '' ? (SENSOR_BY_OBSERVATORY.get(observatory) ?? UNKNOWN_SENSOR) : id;
}

/** `seoList[0].obDescription` of a record that no product can use; `''` when it has none. */
function firstDescription(fields: RecordFields | null): string {
  let list = fields?.['seoList'];
  if (typeof list === 'string') {
    try {
      list = parseLiteral(list);
    } catch {
      return '';
    }
  }
  const first: unknown = Array.isArray(list) ? list[0] : null;
  return typeof first === 'object' && first !== null ? textOf((first as RecordFields)['obDescription']) : '';
}

function textOf(value: unknown): string {
  return typeof value === 'string' && !isBlank(value) ? value.trim() : '';
}
