/**
 * Faults of content: the wrong answer, soundly delivered.
 */
import { gzipSync } from 'node:zlib';
import { json, refusal, text } from '../http/answer.ts';
import type { Answer } from '../http/answer.ts';
import type { Fault, RetryAfterForm } from './plan.ts';

export const LOGIN_PATH = '/auth/login';

export const LOGIN_PAGE =
  '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Please sign in</h1>' +
  '<form action="/auth/login"><input name="user"><input name="password" type="password"></form></body></html>\n';

/**
 * The answer a fault gives.
 *
 * @param good - makes the right answer; called only by faults that need it
 * @returns the right answer for faults of delivery, which `delivery.ts` carries out; a refusal stays what it is
 */
export function faultyAnswer(fault: Fault | undefined, good: () => Answer): Answer {
  switch (fault?.kind) {
    case 'rate_limit':
      return tooManyRequests(fault.retryAfterS, fault.form);
    case 'status':
      return withRetryAfter(refusal(fault.status, `Injected fault: status ${fault.status}.`), fault.retryAfterS);
    case 'html':
      return text(200, LOGIN_PAGE, fault.contentType);
    case 'redirect':
      return { status: 302, headers: { location: LOGIN_PATH }, body: Buffer.alloc(0), good: false };
    case 'error_object':
      return json(200, { error: 'Injected fault: the query could not be run.', code: 'QUERY_FAILED' });
    case 'null':
      return json(200, null);
    case 'empty_object':
      return json(200, {});
    case 'empty_body':
      return text(200, '', 'application/json');
    case 'cut_json':
      return cut(good());
    case 'broken_gzip':
      return brokenGzip(good());
    case 'other_keys':
      return otherKeys(good());
    default:
      return good();
  }
}

/** 429 with `Retry-After` as whole seconds or as a date, rounded up as both forms need. */
export function tooManyRequests(retryAfterS: number, form: RetryAfterForm): Answer {
  const answer = refusal(429, 'Too many requests.');
  if (form === 'none') return answer;
  if (form === 'seconds') {
    const wholeSeconds = Math.ceil(retryAfterS);
    return {
      ...answer,
      headers: { ...answer.headers, 'retry-after': String(wholeSeconds) },
      cooldownMs: wholeSeconds * 1000,
    };
  }
  const now = Date.now();
  const at = Math.ceil((now + retryAfterS * 1000) / 1000) * 1000;
  return { ...answer, headers: { ...answer.headers, 'retry-after': new Date(at).toUTCString() }, cooldownMs: at - now };
}

function withRetryAfter(answer: Answer, retryAfterS: number | undefined): Answer {
  if (retryAfterS === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'retry-after': String(Math.ceil(retryAfterS)) } };
}

function cut(answer: Answer): Answer {
  if (!answer.good) return answer;
  const length = Math.min(answer.body.length - 1, Math.ceil(answer.body.length * 0.6));
  return { ...answer, body: answer.body.subarray(0, length), good: false };
}

/** Half the stream is sound, so that a reader which decompresses as it goes has already used some of it. */
function brokenGzip(answer: Answer): Answer {
  if (!answer.good) return answer;
  const body = gzipSync(answer.body, { level: 1 });
  body.fill(0xff, Math.floor(body.length / 2));
  return { ...answer, headers: { ...answer.headers, 'content-encoding': 'gzip' }, body, good: false };
}

/** The same records; a reader that goes by name notices nothing. A count stays as it is. */
function otherKeys(answer: Answer): Answer {
  const records = answer.good ? (JSON.parse(answer.body.toString()) as Record<string, unknown>[] | number) : 0;
  if (!Array.isArray(records)) return answer;
  const reshaped = records.map((record, index) => {
    const entries = Object.entries(record).toReversed();
    if (index % 3 === 0) return Object.fromEntries(entries.filter(([key]) => key !== 'origNetwork'));
    return Object.fromEntries([['msgType', 'extra'], ...entries]);
  });
  return { ...answer, body: Buffer.from(JSON.stringify(reshaped)) };
}
