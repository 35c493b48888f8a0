import type { Profile } from '../../../core/backfill/types.ts';
import type { SensorSelection } from '../../../core/product.ts';
import type { Axes } from '../assemble/channels.ts';

/** What the metadata of one product depends on. */
export interface ProductFacts {
  readonly sensor: SensorSelection;
  readonly profile: Profile;
  readonly version: string;
  /** `YYYY-MM-DD`. */
  readonly generationDate: string;
  readonly fileName: string;
  /** `UDL_Source`. */
  readonly descriptor: string;
  readonly axes: Axes;
  /** Records of the time axis. */
  readonly timeCount: number;
  /** Smallest step of the time axis in microseconds; null for one time. */
  readonly stepMicros: number | null;
}
