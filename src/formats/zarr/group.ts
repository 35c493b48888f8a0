/**
 * A group whose arrays grow together by periods, and how it is written to.
 *
 * A transaction has three steps, each a state in which a reader finds every period whole or absent, or listed:
 *
 * 1. `begin`: the group's document lists the periods as `updating` and names the writer, by conditional replacement;
 * 2. `write`: objects of these periods, each whole or not at all, in any order;
 * 3. `commit`: axes and the arrays' own documents, then the group's document with the new length, again conditionally.
 *
 * Readers of the consolidated document see all arrays grow at once. The arrays' own documents are written just before and
 * only ever get longer: for a moment they may be ahead of the group's, never behind it.
 */
import { randomBytes } from 'node:crypto';
import { encodeChunk } from './encode.ts';
import { ZarrError } from './errors.ts';
import {
  arrayDocument,
  arrayKey,
  checkSchema,
  chunkKeyAlong,
  encodeDocument,
  GROUP_KEY,
  groupDocument,
  parseGroup,
} from './metadata.ts';
import type { GroupState } from './metadata.ts';
import type { ObjectStore } from './object-store.ts';
import type { ArraySchema, GroupSchema } from './schema.ts';
import { several } from './several.ts';

/** The bytes of one period of an array; null when it holds nothing but fill. */
export type PeriodBytes = Readonly<Record<string, Uint8Array | null>>;

/** Objects of one period written at the same time. */
const WRITERS = 4;

export class GrowingGroup {
  readonly store: ObjectStore;
  readonly schema: GroupSchema;
  #state: GroupState;
  #version: string;

  private constructor(store: ObjectStore, schema: GroupSchema, state: GroupState, version: string) {
    this.store = store;
    this.schema = schema;
    this.#state = state;
    this.#version = version;
  }

  /**
   * @returns null when there is no store at the place
   * @throws ZarrError `not_zarr`, `schema_differs`
   */
  static async open(store: ObjectStore, schema: GroupSchema): Promise<GrowingGroup | null> {
    checkSchema(schema);
    const root = await store.get(GROUP_KEY);
    return root && new GrowingGroup(store, schema, parseGroup(root.bytes, schema, store.location), root.version);
  }

  /**
   * Makes an empty store: fixed arrays, documents, the group's document last.
   *
   * @throws ZarrError `conflict` when somebody else made one meanwhile
   */
  static async create(store: ObjectStore, schema: GroupSchema): Promise<GrowingGroup> {
    checkSchema(schema);
    const state: GroupState = { periods: 0, updating: [], writer: null };
    for await (const { key, bytes } of derivedObjects(schema, 0, 0)) await store.put(key, bytes);
    const version = await store.putIf(GROUP_KEY, encodeDocument(groupDocument(schema, state)), null);
    if (version === null) throw conflict(store);
    return new GrowingGroup(store, schema, state, version);
  }

  /** Periods that readers see. */
  get periods(): number {
    return this.#state.periods;
  }

  /** Periods whose content may be half old and half new, ascending: those of a writer at work, or killed. */
  get updating(): readonly number[] {
    return this.#state.updating;
  }

  /**
   * Announces that these periods will be written.
   *
   * @throws ZarrError `conflict` when the store changed since it was opened
   */
  async begin(periods: readonly number[]): Promise<Transaction> {
    if (periods.some((period) => !Number.isInteger(period) || period < 0)) {
      throw new ZarrError('value_invalid', `Periods are whole numbers from 0, got ${periods.join(', ')}.`);
    }
    const former = this.#state.updating;
    const writer = randomBytes(8).toString('hex');
    await this.#replace({ ...this.#state, updating: union(former, periods), writer });
    return new Transaction(this, periods, former);
  }

  /** @throws ZarrError `conflict` when another writer has taken over */
  async checkTurn(): Promise<void> {
    const root = await this.store.get(GROUP_KEY);
    if (root?.version !== this.#version) throw conflict(this.store);
  }

  /** @param settled - periods that are whole again */
  async finish(settled: readonly number[], periods: number): Promise<void> {
    const before = this.#state.periods;
    if (periods > before) {
      for await (const { key, bytes } of derivedObjects(this.schema, before, periods)) await this.store.put(key, bytes);
    }
    const updating = this.#state.updating.filter((period) => !settled.includes(period));
    await this.#replace({ periods: Math.max(before, periods), updating, writer: null });
  }

  async #replace(state: GroupState): Promise<void> {
    const document = encodeDocument(groupDocument(this.schema, state));
    const version = await this.store.putIf(GROUP_KEY, document, this.#version);
    if (version === null) throw conflict(this.store);
    this.#version = version;
    this.#state = state;
  }

  /** Every object that follows from the schema and the length alone, all but the group's document: for checking a store. */
  derivedObjects(): AsyncIterable<DerivedObject> {
    return derivedObjects(this.schema, 0, this.periods, true);
  }
}

export interface DerivedObject {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** One go of writing; end it with `commit`. What one that was never ended had announced stays listed as `updating`. */
export class Transaction {
  readonly #group: GrowingGroup;
  readonly #announced: readonly number[];
  /** Periods that are half written, or were before this transaction. */
  readonly #open: Set<number>;
  #periods = 0;

  constructor(group: GrowingGroup, announced: readonly number[], former: readonly number[]) {
    this.#group = group;
    this.#announced = announced;
    this.#open = new Set(former);
  }

  /**
   * Puts a whole period in the place of what was there.
   *
   * @param bytes - of every array that is not generated
   * @throws ZarrError `value_invalid` for a period that was not announced or arrays that are missing; `conflict`
   */
  async write(period: number, bytes: PeriodBytes): Promise<void> {
    const { store, schema } = this.#group;
    const arrays = schema.arrays.filter(({ generated }) => !generated);
    const missing = arrays.filter(({ name }) => bytes[name] === undefined).map(({ name }) => name);
    if (!this.#announced.includes(period) || missing.length > 0) {
      throw new ZarrError(
        'value_invalid',
        `Period ${period} cannot be written: ${missing.join(', ') || 'it was not announced'}.`,
      );
    }
    await this.#group.checkTurn();
    this.#open.add(period);
    await several(arrays, WRITERS, async (array) => {
      const key = chunkKeyAlong(array, period);
      const content = bytes[array.name];
      await (content ? store.put(key, content) : store.delete(key));
    });
    this.#open.delete(period);
    this.#periods = Math.max(this.#periods, period + 1);
  }

  /**
   * Makes what was written visible, all arrays at once. Announced periods that were not written are as they were before.
   *
   * @throws ZarrError `conflict` when another writer has taken over
   */
  async commit(): Promise<void> {
    await this.#group.finish(
      this.#announced.filter((period) => !this.#open.has(period)),
      this.#periods,
    );
    await this.#group.store.tidy();
  }
}

/**
 * Axes and the arrays' own documents (for readers that do not use the consolidated one), these last.
 *
 * @param from - periods that have their axes already
 * @param all - also what never changes again once the store is made
 */
async function* derivedObjects(
  schema: GroupSchema,
  from: number,
  to: number,
  all = to === 0,
): AsyncGenerator<DerivedObject> {
  const arrays = schema.arrays.filter(({ grows }) => all || grows === 'periods');
  for (const array of arrays.filter(({ generated }) => generated)) {
    const [first, end] = array.grows === 'no' ? [0, 1] : [objectsOf(array, from), objectsOf(array, to)];
    for (let index = first; index < end; index++) {
      yield { key: chunkKeyAlong(array, index), bytes: await encodeChunk(array, array.generated!(index)) };
    }
  }
  for (const array of arrays) yield { key: arrayKey(array.name), bytes: encodeDocument(arrayDocument(array, to)) };
}

/** Objects of a generated array that hold its first `periods` periods. */
function objectsOf({ chunk, shape }: ArraySchema, periods: number): number {
  return Math.ceil((periods * shape[0]!) / chunk[0]!);
}

function union(a: readonly number[], b: readonly number[]): number[] {
  return [...new Set([...a, ...b])].toSorted((x, y) => x - y);
}

function conflict({ location }: ObjectStore): ZarrError {
  return new ZarrError('conflict', `${location} was changed by another writer; nothing of this one is committed.`);
}
