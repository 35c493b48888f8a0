/**
 * Finished bodies, bounded by bytes; the longest unused go first.
 */
export class BodyCache {
  readonly #limit: number;
  readonly #bodies = new Map<string, Buffer>();
  #bytes = 0;

  /** @param limit - most bytes held; 0 keeps nothing */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The body kept under `key`, else the one `create` makes. Callers must not write into it. */
  get(key: string, create: () => Buffer): Buffer {
    const kept = this.#bodies.get(key);
    if (kept !== undefined) {
      this.#bodies.delete(key);
      this.#bodies.set(key, kept);
      return kept;
    }
    const created = create();
    if (created.length > this.#limit) return created;
    this.#bodies.set(key, created);
    this.#bytes += created.length;
    for (const [oldest, body] of this.#bodies) {
      if (this.#bytes <= this.#limit) break;
      this.#bodies.delete(oldest);
      this.#bytes -= body.length;
    }
    return created;
  }
}
