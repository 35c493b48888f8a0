/** The shape of what is kept, wherever that is. */
import { z } from 'zod';
import type { RateState } from '../core/rate/restore.ts';
import type { Receipts } from './types.ts';

const ms = z.number();
const stats = { requests: z.number(), rateLimited: z.number(), secondsWaited: z.number(), worstSecond: z.number() };

export const RATE_STATE = z.object({
  pace: z.object({ rate: z.number().positive(), lastPermitMs: ms.nullable() }),
  cooldown: z.object({ untilMs: ms, setMs: ms, inARow: z.number(), why: z.string() }),
  breaker: z.object({
    failuresInARow: z.number(),
    failedPasses: z.number(),
    passEndedMs: ms,
    closedUntilMs: ms,
    incident: z
      .object({
        id: z.string(),
        reason: z.enum(['source_failing', 'auth_rejected', 'rate_limited_too_long']),
        openedMs: ms,
        why: z.string(),
      })
      .nullable(),
    probing: z.boolean(),
  }),
}) satisfies z.ZodType<RateState>;

export const RECEIPTS = z.object({
  total: z.object(stats),
  runs: z.array(z.object({ runId: z.string(), workspace: z.string(), ...stats, lastMs: ms })),
}) satisfies z.ZodType<Receipts>;
