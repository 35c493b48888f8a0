/**
 * The source's own endpoints without any fault: from a checked request to the right answer.
 */
import { constants, gzipSync } from 'node:zlib';
import type { Archive } from '../archive/archive.ts';
import type { ServerSettings } from '../options.ts';
import { text } from './answer.ts';
import type { Answer } from './answer.ts';
import { BodyCache } from './body-cache.ts';
import { QueryError } from './query.ts';
import type { DataQuery } from './query.ts';

/** Most records of an answer without a cap: its body must fit in memory comfortably. */
const MOST_RECORDS = 1_200_000;

export class Source {
  readonly #archive: Archive;
  readonly #settings: ServerSettings;
  readonly #bodies: BodyCache;

  constructor(archive: Archive, settings: ServerSettings) {
    this.#archive = archive;
    this.#settings = settings;
    this.#bodies = new BodyCache(settings.cacheBytes);
  }

  /** The selected records, capped, compressed when the client accepts that and the option is on. */
  data(query: DataQuery, acceptsGzip: boolean): Answer {
    const compress = acceptsGzip && this.#settings.gzip;
    const key = `${this.#archive.revision}|${compress}|${query.sliceText}`;
    const body = this.#bodies.get(key, () => {
      const plain = this.#render(query);
      return compress ? gzipSync(plain, { level: constants.Z_BEST_SPEED }) : plain;
    });
    const headers = { 'content-type': 'application/json', ...(compress ? { 'content-encoding': 'gzip' } : {}) };
    return { status: 200, headers, body, good: true };
  }

  /** The number of selected records, whatever the cap, as text. */
  count(query: DataQuery): Answer {
    return { ...text(200, String(this.#archive.count(query.records))), good: true };
  }

  #render(query: DataQuery): Buffer {
    if (query.page.limit > MOST_RECORDS && this.#archive.count(query.records) > MOST_RECORDS) {
      throw new QueryError(`obTime=${query.range} selects more than ${MOST_RECORDS} records; ask for less.`);
    }
    return this.#archive.render(query.records, query.page);
  }
}
