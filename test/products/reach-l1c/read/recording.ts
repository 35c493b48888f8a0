/**
 * A consumer that writes down everything it is told, as plain values that can be compared.
 */
import { Vocabulary } from '../../../../src/products/reach-l1c/read/dictionary.ts';
import type {
  ReadingNote,
  Rejection,
  Row,
  RowBlock,
  RowConsumer,
} from '../../../../src/products/reach-l1c/read/row.ts';
import type { ByteParser } from '../../../../src/products/reach-l1c/read/byte-parser.ts';

export type Told =
  | {
      readonly kind: 'row';
      readonly numbers: readonly number[];
      readonly texts: readonly string[];
      readonly element: number;
    }
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'note'; readonly note: ReadingNote };

export class RecordingConsumer implements RowConsumer {
  readonly vocabulary = new Vocabulary();
  readonly told: Told[] = [];
  readonly details: string[] = [];
  columnNames: readonly string[] = [];

  columns(names: ReadonlySet<string>): void {
    this.columnNames = [...names];
  }

  accept(row: Row): void {
    const { sensorIds, observatories, descriptions, descriptors } = this.vocabulary;
    const texts = [
      sensorIds.text(row.sensorId),
      observatories.text(row.observatory),
      descriptions.text(row.description),
      descriptors.text(row.descriptor),
    ];
    this.told.push({ kind: 'row', numbers: [...row.numbers], texts, element: row.element });
  }

  acceptBlock(block: RowBlock): void {
    for (let i = 0; i < block.size; i++) this.accept(block.row(i));
  }

  reject({ reason, detail }: Rejection): void {
    this.told.push({ kind: 'rejected', reason });
    this.details.push(detail);
  }

  note(note: ReadingNote): void {
    this.told.push({ kind: 'note', note });
  }

  get rows(): Extract<Told, { kind: 'row' }>[] {
    return this.told.filter((told) => told.kind === 'row');
  }
}

/** Feeds `content` as a file is fed, `chunkBytes` at a time, through a buffer of `bufferBytes`. */
export function feed(parser: ByteParser, content: Buffer, chunkBytes = 1 << 16, bufferBytes = 1 << 20): void {
  const { buffer } = parser;
  buffer.fill(0x22, 0, Math.min(content.length + 64, buffer.length)); // stale bytes that would be mistaken for quotes
  let filled = 0;
  let position = 0;
  for (let atEnd = false; !atEnd;) {
    const size = Math.min(chunkBytes, bufferBytes - filled, content.length - position);
    content.copy(buffer, filled, position, position + size);
    position += size;
    filled += size;
    atEnd = size === 0 && position === content.length;
    buffer[filled] = 0;
    const done = parser.parse(filled, atEnd, filled === bufferBytes);
    buffer.copyWithin(0, done, filled);
    filled -= done;
  }
  parser.end();
}
