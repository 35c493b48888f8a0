/**
 * The fault plan: which requests are answered wrongly, and how. Checked as it comes in, from code or over HTTP.
 */
import { z } from 'zod';
import { PipelineError } from '../../src/core/errors.ts';
import { isDay } from '../../src/core/time/day.ts';

const RETRYABLE_AND_NOT = [400, 401, 403, 404, 408, 425, 500, 502, 503, 504] as const;

/** Where in an answer a connection dies or falls silent. */
const MOMENTS = ['before_headers', 'after_headers', 'mid_body'] as const;

const RETRY_AFTER_FORMS = ['seconds', 'date', 'none'] as const;

const seconds = z.number().min(0).max(86_400);

const FaultSchema = z.discriminatedUnion('kind', [
  /** 429; `form` says how `Retry-After` is written, `none` leaves it out. */
  z.strictObject({
    kind: z.literal('rate_limit'),
    retryAfterS: seconds.default(1),
    form: z.enum(RETRY_AFTER_FORMS).default('seconds'),
  }),
  /** From the request that sets it off: 429 to every request for `seconds`, `Retry-After` saying what is left. */
  z.strictObject({ kind: z.literal('storm'), seconds, form: z.enum(RETRY_AFTER_FORMS).default('seconds') }),
  z.strictObject({ kind: z.literal('status'), status: z.literal(RETRYABLE_AND_NOT), retryAfterS: seconds.optional() }),
  /** A page with status 200, with the content type of a page or of data. */
  z.strictObject({
    kind: z.literal('html'),
    contentType: z.enum(['text/html', 'application/json']).default('text/html'),
  }),
  /** 302 to a login page. */
  z.strictObject({ kind: z.literal('redirect') }),
  /** With status 200: an object that tells of an error, `null`, `{}`, nothing at all. */
  z.strictObject({ kind: z.enum(['error_object', 'null', 'empty_object', 'empty_body']) }),
  /** Ends inside the list, with a fitting content-length: sound transport, invalid JSON. */
  z.strictObject({ kind: z.literal('cut_json') }),
  /** The connection ends properly before the announced length (`length`) or the last chunk (`chunked`). */
  z.strictObject({ kind: z.literal('short_body'), framing: z.enum(['length', 'chunked']).default('length') }),
  /** The connection is reset. */
  z.strictObject({ kind: z.literal('reset'), at: z.enum(MOMENTS).default('before_headers') }),
  /** `content-encoding: gzip` over bytes that do not decompress. */
  z.strictObject({ kind: z.literal('broken_gzip') }),
  /** The right answer, slowly. */
  z.strictObject({ kind: z.literal('drip'), bytesPerS: z.number().min(1) }),
  /** Silence, with the connection open. */
  z.strictObject({ kind: z.literal('hang'), at: z.enum(MOMENTS).default('before_headers') }),
  /** The answer comes later; further rules still apply. */
  z.strictObject({ kind: z.literal('latency'), ms: z.number().min(0).max(600_000) }),
  /** The right records with other keys: reversed order, one extra, every third without `origNetwork`. */
  z.strictObject({ kind: z.literal('other_keys') }),
]);

const wholeNumber = z.number().int();
const oneOrMore = z.union([wholeNumber, z.array(wholeNumber).min(1)]);

const MatchSchema = z.strictObject({
  /** Default `data`; `any` is all three. */
  endpoint: z.enum(['data', 'count', 'queryhelp', 'any']).default('data'),
  /** The n-th request to the endpoint since the plan was set, from 1. */
  nth: oneOrMore.optional(),
  /** The slice of its day, from 0; negative ones count from the end (−1 is the last). See `sliceOfDay`. */
  slice: oneOrMore.optional(),
  /** The day that the asked range begins in. */
  day: z.string().refine(isDay, 'expected a calendar date of the form YYYY-MM-DD').optional(),
  /** The `idSensor` asked for. */
  idSensor: z.string().optional(),
  /** Share of requests, drawn by (seed, rule, slice, attempt), so independent of the order of requests. */
  fraction: z.number().min(0).max(1).optional(),
  /** Only the first so many tries of each slice, so that the next one is good. */
  firstAttempts: wholeNumber.min(1).optional(),
});

const RuleSchema = z.strictObject({
  match: MatchSchema.prefault({}),
  fault: FaultSchema,
  /** How often the rule fires in all; default without end, but once for a storm. */
  times: wholeNumber.min(1).optional(),
});

const PlanSchema = z.strictObject({
  /** Draws of `fraction`. */
  seed: wholeNumber.default(1),
  /** The first rule that fits decides; `latency` adds up and lets the search go on. */
  rules: z.array(RuleSchema).max(1_000),
});

/** A plan as one writes it, defaults left out. */
export type FaultPlan = z.input<typeof PlanSchema>;
export type CheckedPlan = z.output<typeof PlanSchema>;
export type Rule = z.output<typeof RuleSchema>;
export type Fault = z.output<typeof FaultSchema>;
export type RetryAfterForm = (typeof RETRY_AFTER_FORMS)[number];
export type Moment = (typeof MOMENTS)[number];

export const NO_FAULTS: CheckedPlan = { seed: 1, rules: [] };

/** Checks a plan. @throws PipelineError `config_invalid` naming the place and what is expected there */
export function checkPlan(plan: unknown): CheckedPlan {
  const checked = PlanSchema.safeParse(plan);
  if (checked.success) return checked.data;
  throw new PipelineError('config_invalid', `The fault plan cannot be used: ${z.prettifyError(checked.error)}`, {
    hint: 'A plan is {"rules": [{"match": {…}, "fault": {"kind": …}, "times": 1}]}; simulator/README.md lists the faults.',
    cause: checked.error,
  });
}
