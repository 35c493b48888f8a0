import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { createRetryTeller, isTold, withErrorInWords } from '../src/runtime.ts';

/** As the SDK's core wrote it while a server was away. */
const ERROR =
  'Status { code: Unavailable, message: "tcp connect error", source: Some(tonic::transport::Error(Transport, ConnectError(ConnectError("tcp connect error", 127.0.0.1:27233, Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })))) }';

test('a server that is away is told of in words, once a minute, not with each try', () => {
  const retries = createRetryTeller();
  expect(retries.isOne('gRPC call poll_activity_task_queue retried 6 times')).toBe(true);
  expect(retries.isOne('Activity failed')).toBe(false);
  const tell = (seconds: number) => retries.tell(ERROR, seconds * 1_000);
  expect(tell(0)).toBe(
    'The Temporal server at 127.0.0.1:27233 does not answer (Unavailable, tcp connect error); it is asked again until it does.',
  );
  expect([tell(1), tell(59)]).toEqual([null, null]);
  expect(tell(60)).not.toBeNull();
});

test('other reasons, and texts in another form, are told too', () => {
  expect(createRetryTeller().tell('Status { code: ResourceExhausted, message: "namespace limit" }', 0)).toBe(
    'The Temporal server does not answer (ResourceExhausted, namespace limit); it is asked again until it does.',
  );
  expect(createRetryTeller().tell(undefined, 0)).toContain('does not answer (no answer)');
});

test('an error in a line of the SDK is told in its words', () => {
  const meta = { workflowId: 'day/a/b/2025-09-01', error: new Error('1 of 288 slices failed') };
  expect(withErrorInWords(meta)).toEqual({ workflowId: 'day/a/b/2025-09-01', error: '1 of 288 slices failed' });
  const failed = new Error('Activity task failed', { cause: new Error('there is no bucket products') });
  expect(withErrorInWords({ error: failed })).toEqual({ error: 'Activity task failed: there is no bucket products' });
  expect(withErrorInWords({ error: 'as text' })).toEqual({ error: 'as text' });
  expect(withErrorInWords(undefined)).toEqual({});
});

test('a day that failed is told once: the engine only repeats it; other failures are told', () => {
  const error = ApplicationFailure.nonRetryable('there is no bucket products', 'config_invalid');
  expect(isTold('Activity failed', { error })).toBe(true);
  expect(isTold('Workflow failed', { error, workflowType: 'processDay' })).toBe(true);
  expect(isTold('Workflow failed', { error, workflowType: 'backfillRange' })).toBe(false);
  expect(isTold('Workflow failed', { error: new Error('a bug'), workflowType: 'processDay' })).toBe(false);
});
