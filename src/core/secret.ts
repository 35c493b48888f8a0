/**
 * A text that must not be printed. Whatever turns it into text (template strings, JSON, `console.log`, error messages)
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
   * `text` without the secret: as a whole, without its scheme (`Basic `), and percent-encoded. For texts that a server
   * sent, which may echo what it was sent.
   */
  redact(text: string): string {
    const credentials = this.#value.replace(/^\S+\s+/, '');
    const pieces = [this.#value, credentials, encodeURIComponent(this.#value), encodeURIComponent(credentials)]
      .map((piece) => piece.trim())
      .filter((piece) => piece.length >= SHORTEST_PIECE);
    return pieces.reduce((redacted, piece) => redacted.replaceAll(piece, PLACEHOLDER), text);
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
