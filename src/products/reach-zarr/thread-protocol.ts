/** What the two sides of an encoding thread say to each other. */
import type { ZarrDay } from '../../core/zarr.ts';
import type { PeriodBytes } from '../../formats/zarr/index.ts';
import type { ZarrSettings } from './layout.ts';

export interface EncodeRequest {
  readonly day: ZarrDay;
  readonly settings: ZarrSettings;
  /** False: only what the objects hash to. */
  readonly withBytes: boolean;
}

/** A day as objects. */
export interface EncodedDay {
  /** SHA-256 by array; null where the day has no object. */
  readonly hashes: Readonly<Record<string, string | null>>;
  /** Empty unless they were asked for. */
  readonly bytes: PeriodBytes;
}

export type EncodeAnswer =
  | { readonly kind: 'encoded'; readonly encoded: EncodedDay }
  /** The file does not fit, is damaged, or is not the one that was listed. */
  | { readonly kind: 'differs'; readonly differences: string[] }
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly code: string | undefined;
      readonly stack: string | undefined;
    };
