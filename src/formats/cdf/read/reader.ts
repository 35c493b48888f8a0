/**
 * Reading: a file's description at once, its values on demand.
 */
import { createHash } from 'node:crypto';
import { dataType } from '../data-types.ts';
import { FormatError } from '../errors.ts';
import type { CdfValues } from '../model.ts';
import { MD5_BYTES } from '../records.ts';
import { firstBlockFrom, readBlockIndex } from './block-index.ts';
import type { ReadBlock } from './block-index.ts';
import { readCatalog } from './catalog.ts';
import type { Catalog, CatalogVariable } from './catalog.ts';
import { toValues } from './decode.ts';
import type { CdfDescription, GlobalAttribute, VariableDescription } from './description.ts';
import { FileSource, MemorySource } from './source.ts';
import type { ByteSource } from './source.ts';
import { readRecords } from './values.ts';
import type { RecordRange } from './values.ts';

/** How a file is opened. */
export interface CdfReadOptions {
  /** Compare the file with its MD5, if it has one, before anything else, as libcdf does. Default `true`. */
  readonly verifyChecksum?: boolean;
  /**
   * Decompress on the calling thread, for callers that are threads themselves: less work in all, and the event loop waits.
   * Default `false`.
   */
  readonly inline?: boolean;
}

/** Some consecutive records of a variable. */
export interface CdfBatch {
  readonly first: number;
  readonly records: number;
  /** Row-major, in the array kind of the type; texts without trailing NULs. */
  readonly values: CdfValues;
}

/** Most batches are no larger, unless a compressed block or a single record is. */
const BATCH_BYTES = 4_194_304;

/** Each text is a value of its own in memory, however few bytes stand for it in the file. */
const MAX_TEXTS = 2 ** 26;

/**
 * An open file: what it says about itself at once, values when they are asked for. Close it.
 *
 * Files may be of any writer. Values come as for one of ours: row-major, in the byte order of this machine, shape
 * `[record, ...dims]` of the variable.
 */
export class CdfReader {
  readonly description: CdfDescription;
  readonly globalAttributes: ReadonlyMap<string, GlobalAttribute>;
  /** In file order. */
  readonly variables: ReadonlyMap<string, VariableDescription>;
  /** Names of the variable attributes in file order. */
  readonly variableAttributeNames: readonly string[];
  readonly #file: ByteSource;
  readonly #isInline: boolean;
  readonly #catalog: Catalog;
  readonly #indexes = new Map<string, Promise<ReadBlock[]>>();

  private constructor(file: ByteSource, catalog: Catalog, { inline = false }: CdfReadOptions) {
    this.#file = file;
    this.#isInline = inline;
    this.#catalog = catalog;
    this.description = catalog.header.description;
    this.globalAttributes = new Map(catalog.globalAttributes.map((attribute) => [attribute.name, attribute]));
    this.variables = new Map(catalog.variables.map((variable) => [variable.name, variable]));
    this.variableAttributeNames = catalog.variableAttributeNames;
  }

  /**
   * @throws FormatError `not_cdf`, `truncated`, `corrupted`, `unsupported`, `checksum_mismatch`; errors of the file system
   */
  static async open(path: string, options: CdfReadOptions = {}): Promise<CdfReader> {
    return await CdfReader.#of(await FileSource.open(path), options);
  }

  /**
   * A file that is in memory already.
   *
   * @param bytes - the whole file; leave it as it is until the reader is closed
   * @throws FormatError as `open`
   */
  static async openBytes(bytes: Buffer, options: CdfReadOptions = {}): Promise<CdfReader> {
    return await CdfReader.#of(new MemorySource(bytes), options);
  }

  static async #of(file: ByteSource, options: CdfReadOptions): Promise<CdfReader> {
    try {
      const reader = new CdfReader(file, await readCatalog(file), options);
      if (options.verifyChecksum ?? true) await reader.verifyChecksum();
      return reader;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Values of a variable.
   *
   * @param range - default: all records
   * @returns `count` records, row-major
   * @throws FormatError `value_invalid` for an unknown name or a range outside the records; `too_large` for more than
   *   fits into memory (read ranges or batches); `corrupted`, `truncated`, `unsupported` as the file is
   */
  async read(name: string, range: Partial<RecordRange> = {}): Promise<CdfValues> {
    const variable = this.#variable(name);
    const { first = 0, count = variable.records - first } = range;
    if (
      !Number.isInteger(first) ||
      !Number.isInteger(count) ||
      first < 0 ||
      count < 0 ||
      first + count > variable.records
    ) {
      const expected = `a range of its ${variable.records} records`;
      throw new FormatError('value_invalid', `records of ${name}`, { expected, got: `${count} from ${first}` });
    }
    const texts = (count * variable.recordBytes) / variable.elements;
    if (dataType(variable.type).kind === 'text' && texts > MAX_TEXTS) {
      throw new FormatError('too_large', `texts of ${name}`, {
        expected: `at most ${MAX_TEXTS} at a time`,
        got: `${texts}`,
      });
    }
    const { header } = this.#catalog;
    const bytes = await readRecords(header, variable, await this.#index(variable), { first, count }, this.#isInline);
    return toValues(bytes, variable.type, variable.elements);
  }

  /** All records of a variable in pieces of a few megabytes; errors as `read`. */
  async *batches(name: string): AsyncGenerator<CdfBatch> {
    const variable = this.#variable(name);
    const blocks = await this.#index(variable);
    const atMost = Math.max(1, Math.floor(BATCH_BYTES / variable.recordBytes));
    for (let first = 0; first < variable.records;) {
      const block = blocks[firstBlockFrom(blocks, first)];
      const isInBlock = block !== undefined && block.first <= first;
      const end = Math.min(variable.records, isInBlock ? block.last + 1 : (block?.first ?? Infinity));
      const count = isInBlock && block.isCompressed ? end - first : Math.min(atMost, end - first);
      yield { first, records: count, values: await this.read(name, { first, count }) };
      first += count;
    }
  }

  /**
   * @returns whether there was a checksum to compare
   * @throws FormatError `checksum_mismatch`
   */
  async verifyChecksum(): Promise<boolean> {
    const { description, contentEnd } = this.#catalog.header;
    if (!description.hasChecksum) return false;
    const md5 = createHash('md5');
    for (let at = 0; at < contentEnd; at += BATCH_BYTES) {
      md5.update(await this.#file.read(at, Math.min(BATCH_BYTES, contentEnd - at)));
    }
    const expected = (await this.#file.read(contentEnd, MD5_BYTES)).toString('hex');
    const got = md5.digest('hex');
    if (got === expected) return true;
    throw new FormatError('checksum_mismatch', 'MD5 of the file', { offset: contentEnd, expected, got });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #variable(name: string): CatalogVariable {
    const variable = this.#catalog.variables.find((candidate) => candidate.name === name);
    if (variable) return variable;
    const expected = `one of ${[...this.variables.keys()].join(', ') || 'none'}`;
    throw new FormatError('value_invalid', 'variable', { expected, got: JSON.stringify(name) });
  }

  #index(variable: CatalogVariable): Promise<ReadBlock[]> {
    const known = this.#indexes.get(variable.name);
    if (known) return known;
    const index = readBlockIndex(this.#catalog.header.records, variable);
    this.#indexes.set(variable.name, index);
    return index;
  }
}

/** A file with all its values; `variables` are in file order. */
export interface CdfContent extends CdfDescription {
  readonly globalAttributes: ReadonlyMap<string, GlobalAttribute>;
  readonly variables: ReadonlyMap<string, VariableDescription & { readonly values: CdfValues }>;
}

/** A whole file in memory; errors as `CdfReader`. */
export async function readCdf(path: string, options: CdfReadOptions = {}): Promise<CdfContent> {
  const reader = await CdfReader.open(path, options);
  try {
    const variables = new Map<string, VariableDescription & { readonly values: CdfValues }>();
    for (const [name, variable] of reader.variables)
      variables.set(name, { ...variable, values: await reader.read(name) });
    return { ...reader.description, globalAttributes: reader.globalAttributes, variables };
  } finally {
    await reader.close();
  }
}
