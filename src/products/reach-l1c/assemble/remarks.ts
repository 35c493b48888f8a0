/**
 * What is said about a build besides its product: records set aside (CDF-D10) and oddities that were let pass.
 */
import { PipelineError } from '../../../core/errors.ts';
import type { RejectReason } from '../read/row.ts';

/** Names are public: they are stored and reported. */
export type WarningCode =
  | 'sensor_unresolved'
  | 'sensor_unknown'
  | 'sensor_observatory_disagree'
  | 'flavor_unexpected'
  | 'missing_marker'
  | 'value_not_numeric'
  | 'created_at_unreadable'
  | 'several_readings';

export interface BuildWarning {
  readonly code: WarningCode;
  /** Records, readings or cells, as the message says. */
  readonly count: number;
  readonly message: string;
}

const WARNING_TEXTS: Readonly<Record<WarningCode, string>> = {
  sensor_unresolved: 'records dropped: no idSensor, and their observatory carries no sensor (CDF-11)',
  sensor_unknown: 'readings of sensors outside the constellation, kept',
  sensor_observatory_disagree: 'readings whose observatory carries another sensor than idSensor says; idSensor kept',
  flavor_unexpected: 'readings of a dosimeter that the sensor is not known to have, kept',
  missing_marker: 'values at or below -1e30 taken for missing',
  value_not_numeric: 'readings whose obValue is no number, written as fill',
  created_at_unreadable: 'records whose createdAt is no time; they rank as the oldest of their reading',
  several_readings: 'records with more than one element in seoList; each became a reading',
};

export class Warnings {
  readonly #counts = new Map<WarningCode, number>();
  readonly #examples = new Map<WarningCode, string>();

  /** @param example - the first one given is shown */
  add(code: WarningCode, count = 1, example?: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + count);
    if (example !== undefined && !this.#examples.has(code)) this.#examples.set(code, example);
  }

  /** In the order of first occurrence. */
  list(): BuildWarning[] {
    return Array.from(this.#counts, ([code, count]) => {
      const example = this.#examples.get(code);
      const message = `${count} ${WARNING_TEXTS[code]}${example === undefined ? '' : `, such as ${example}`}`;
      return { code, count, message };
    });
  }
}

export interface QuarantineReason {
  readonly reason: RejectReason;
  readonly count: number;
  /** The first such record: its number in the file, from 1, and what was found in it. */
  readonly sample: string;
}

export class Quarantine {
  readonly #reasons = new Map<RejectReason, { count: number; sample: string }>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(reason: RejectReason, recordNumber: number, detail: string): void {
    this.#size++;
    const entry = this.#reasons.get(reason);
    if (entry) entry.count++;
    else this.#reasons.set(reason, { count: 1, sample: `record ${recordNumber}: ${detail}` });
  }

  /** Most frequent first. */
  list(): QuarantineReason[] {
    return Array.from(this.#reasons, ([reason, entry]) => ({ reason, ...entry })).toSorted((a, b) => b.count - a.count);
  }

  /** @throws PipelineError `quarantine_exceeded` when more than the share `limit` of `records` was set aside */
  check(records: number, limit: number): void {
    if (this.#size <= records * limit) return;
    const reasons = this.list().map(({ reason, count, sample }) => `${count} × ${reason} (${sample})`);
    throw new PipelineError(
      'quarantine_exceeded',
      `${this.#size} of ${records} records cannot be used, more than ${limit * 100} %: ${reasons.slice(0, 3).join('; ')}.`,
      {
        hint: 'Look at the records named. If the source sent them so, the day cannot be built; otherwise download it again.',
        context: { quarantined: this.#size, records, limit },
      },
    );
  }
}
