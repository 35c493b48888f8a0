/**
 * A text that must not be printed. Whatever turns it into text (template strings, JSON, logs, error messages)
 * gets a placeholder; the one way to the value is `reveal`, so that a search for it finds every use.
 */
const PLACEHOLDER = '[secret]';

/** Shorter pieces would redact ordinary words. */
const SHORTEST_PIECE = 4;

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; only for the place that sends it. */
  reveal(): string {
    return this.#value;
  }

  /**
   * `text` without the secret: as a whole, without its scheme (`Basic `), percent-encoded, and as some write it in JSON (`\\/`).
   * For texts that a server sent, which may echo what it was sent.
   */
  redact(text: string): string {
    return this.#pieces().reduce((redacted, piece) => redacted.replaceAll(piece, PLACEHOLDER), text);
  }

  /** Whether `redact` would change these bytes, read as text. */
  isIn(bytes: Uint8Array): boolean {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#pieces().some((piece) => view.includes(piece));
  }

  /** As a whole first, so that none of its words stays behind. */
  #pieces(): string[] {
    const credentials = this.#value.replace(/^\S+\s+/, '');
    return [this.#value, credentials]
      .flatMap((text) => [text, encodeURIComponent(text), text.replaceAll('/', '\\/')])
      .map((piece) => piece.trim())
      .filter((piece) => piece.length >= SHORTEST_PIECE);
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER;
  }
}
