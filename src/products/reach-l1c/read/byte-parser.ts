/** Takes a file in pieces; the piece that is not done with comes again with more behind it. */
export interface ByteParser {
  /**
   * @param bytes - valid up to `limit`, where a zero byte stands; reused after the call
   * @param atEnd - no bytes follow
   * @param isFull - the buffer cannot take more: what does not fit is too long
   * @returns how many bytes are done with
   */
  parse(bytes: Buffer, limit: number, atEnd: boolean, isFull: boolean): number;
  /** The file is over. */
  end(): void;
}
