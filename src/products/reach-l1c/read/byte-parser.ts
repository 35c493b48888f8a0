/** Longest row or record; what the source sends is about 1 kB. */
export const LONGEST_RECORD_BYTES = 1 << 20;

/** Takes a file in pieces; the piece that is not done with comes again with more behind it. */
export interface ByteParser {
  /** Where the bytes go; reused after each call of `parse`. One byte longer than it may be filled. */
  readonly buffer: Buffer;
  /**
   * @param limit - the buffer is valid up to here, where a zero byte stands
   * @param atEnd - no bytes follow
   * @param isFull - the buffer cannot take more: what does not fit is too long
   * @returns how many bytes are done with
   */
  parse(limit: number, atEnd: boolean, isFull: boolean): number;
  /** The file is over. */
  end(): void;
}
