/**
 * What a check has to say about a file.
 */
export interface CdfFinding {
  /** An error breaks a rule; a warning departs from a recommendation, or from what the common checkers expect. */
  readonly severity: 'error' | 'warning';
  /** Which check, e.g. `structure.size` or `istp.fillval`. Stable. */
  readonly rule: string;
  /** The record, variable or attribute concerned. */
  readonly where: string;
  readonly message: string;
}

export class Findings {
  readonly list: CdfFinding[] = [];

  error(rule: string, where: string, message: string): void {
    this.list.push({ severity: 'error', rule, where, message });
  }

  warning(rule: string, where: string, message: string): void {
    this.list.push({ severity: 'warning', rule, where, message });
  }
}
