/**
 * Control over HTTP, for tests and tools in other processes. These requests are not counted and never go wrong.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { PipelineError } from '../../src/core/errors.ts';
import type { FaultPlan } from '../faults/plan.ts';
import type { Simulator } from '../simulator.ts';
import { json, refusal } from './answer.ts';
import type { Answer } from './answer.ts';

export const CONTROL_PREFIX = '/_control/';

const LONGEST_BODY = 1024 * 1024;
const LateSchema = z.strictObject({ day: z.string(), instants: z.number().int().min(0).optional() });

/** Answers a control request. Bad input gets 400 with the reason. */
export async function control(simulator: Simulator, request: IncomingMessage, url: URL): Promise<Answer> {
  try {
    return await route(simulator, request, url);
  } catch (error) {
    if (error instanceof PipelineError || error instanceof RangeError || error instanceof SyntaxError) {
      return refusal(400, error.message);
    }
    throw error;
  }
}

async function route(simulator: Simulator, request: IncomingMessage, url: URL): Promise<Answer> {
  const name = url.pathname.slice(CONTROL_PREFIX.length);
  switch (`${request.method} ${name}`) {
    case 'GET stats':
      return json(200, simulator.stats());
    case 'GET requests':
      return json(200, simulator.requests());
    case 'GET expected':
      return json(
        200,
        simulator.expectedDay(url.searchParams.get('day') ?? '', {
          idSensor: url.searchParams.get('idSensor') ?? undefined,
          descriptor: url.searchParams.get('descriptor') ?? undefined,
        }),
      );
    case 'POST faults':
      simulator.setFaults((await readJson(request)) as FaultPlan);
      return json(200, { rules: simulator.stats().faultsFired.length });
    case 'POST late': {
      const late = LateSchema.safeParse(await readJson(request));
      if (!late.success) return refusal(400, z.prettifyError(late.error));
      return json(200, { instants: simulator.deliverLate(late.data.day, late.data.instants) });
    }
    case 'POST reset':
      simulator.reset();
      return json(200, { reset: true });
    default:
      return refusal(
        404,
        `No control "${request.method} ${name}"; there are GET stats, GET requests, GET expected?day=, POST faults, POST late, POST reset.`,
      );
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > LONGEST_BODY) throw new RangeError(`The body is longer than ${LONGEST_BODY} bytes.`);
    parts.push(part);
  }
  return JSON.parse(Buffer.concat(parts).toString()) as unknown;
}
