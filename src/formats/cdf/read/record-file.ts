/**
 * Records of a CDF by offset, each checked before its content is trusted: inside the file, big enough, of the right type.
 */
import { FormatError } from '../errors.ts';
import { decodeRecord, MAGIC_BYTES, PREFIX_BYTES, readOffset } from '../records.ts';
import type { RecordFields, RecordKind } from '../records.ts';
import type { ByteSource } from './source.ts';

export interface RecordPrefix {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly type: number;
}

export interface ReadRecord<K extends RecordKind> extends RecordPrefix {
  readonly fields: RecordFields<K>;
  /** What follows the declared fields. */
  readonly tail: Buffer;
}

export class RecordFile {
  readonly source: ByteSource;
  /** Where the records end; set once the GDR is read. */
  end: number;
  /** Told of every record that is read, for the structure check. */
  onRecord: ((record: RecordPrefix) => void) | undefined;

  constructor(source: ByteSource) {
    this.source = source;
    this.end = source.sizeBytes;
  }

  /** @throws FormatError `corrupted` if no record can stand at `offset` with the size it names */
  async prefix(offset: number): Promise<RecordPrefix> {
    if (offset < MAGIC_BYTES || offset + PREFIX_BYTES > this.end) {
      throw corrupted(
        'pointer to a record',
        offset,
        `an offset of ${MAGIC_BYTES} to ${this.end - PREFIX_BYTES}`,
        `${offset}`,
      );
    }
    const bytes = await this.source.read(offset, PREFIX_BYTES);
    const sizeBytes = readOffset(bytes, 0, offset);
    if (sizeBytes < PREFIX_BYTES || offset + sizeBytes > this.end) {
      throw corrupted('size of a record', offset, `${PREFIX_BYTES} to ${this.end - offset} bytes`, `${sizeBytes}`);
    }
    return { offset, sizeBytes, type: bytes.readInt32BE(8) };
  }

  /**
   * A whole record.
   *
   * @param maxTailBytes - how much of what follows the declared fields is wanted
   */
  async read<K extends RecordKind>(kind: K, offset: number, maxTailBytes = Infinity): Promise<ReadRecord<K>> {
    const prefix = await this.prefix(offset);
    if (prefix.type !== kind.type) {
      throw corrupted('type of a record', offset, `${kind.what} (${kind.type})`, `${prefix.type}`);
    }
    if (prefix.sizeBytes < kind.headBytes) {
      throw corrupted(`size of a ${kind.what}`, offset, `at least ${kind.headBytes} bytes`, `${prefix.sizeBytes}`);
    }
    const tailBytes = Math.min(prefix.sizeBytes - kind.headBytes, maxTailBytes);
    const bytes = await this.source.read(offset, kind.headBytes + tailBytes);
    this.onRecord?.(prefix);
    return { ...prefix, fields: decodeRecord(kind, bytes, offset), tail: bytes.subarray(kind.headBytes) };
  }

  /**
   * The records of a linked list.
   *
   * @param next - the link in a record, 0 in the last
   * @throws FormatError `corrupted` unless the list has exactly `count` records
   */
  async readList<K extends RecordKind>(
    kind: K,
    head: number,
    count: number,
    next: (fields: RecordFields<K>) => number,
  ): Promise<ReadRecord<K>[]> {
    const list: ReadRecord<K>[] = [];
    for (let offset = head; offset !== 0;) {
      // The count bounds the walk, so a list that bites its tail ends here too.
      if (list.length >= count) throw corrupted(`list of ${kind.what}s`, offset, `${count} records`, 'more');
      const record = await this.read(kind, offset);
      list.push(record);
      offset = next(record.fields);
    }
    if (list.length < Math.max(0, count)) {
      throw corrupted(`list of ${kind.what}s`, head, `${count} records`, `${list.length}`);
    }
    return list;
  }
}

export function corrupted(what: string, offset: number, expected: string, got: string): FormatError {
  return new FormatError('corrupted', what, { offset, expected, got });
}
