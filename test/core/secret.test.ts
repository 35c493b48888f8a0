import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';

const TOKEN = 'Basic dXNlcjpwYSs9';
const secret = new Secret(TOKEN);

test.for<[string, () => string]>([
  // oxlint-disable-next-line typescript/no-base-to-string, typescript/restrict-template-expressions -- that is the case
  ['a template string', () => `${secret}`],
  ['concatenation', () => 'token ' + String(secret)],
  ['JSON', () => JSON.stringify({ secret })],
  ['inspection, as console.log and loggers do', () => inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
  ['an error message', () => new Error(String(secret)).stack ?? ''],
  ['a structured clone', () => JSON.stringify(structuredClone(secret))],
])('CLI-D1: %s shows a placeholder', ([, print]) => {
  expect(print()).not.toContain('dXNl');
});

test('the value is there for the one who sends it', () => {
  expect(secret.reveal()).toBe(TOKEN);
});

test.for([`you sent ${TOKEN}!`, 'bare dXNlcjpwYSs9', `?auth=${encodeURIComponent(TOKEN)}`, `twice ${TOKEN} ${TOKEN}`])(
  'TRACK-9: an echo is redacted from "%s"',
  (text) => {
    const redacted = secret.redact(text);
    expect(redacted).not.toContain('dXNl');
    expect(redacted).toContain('[secret]');
  },
);

test('a token too short to tell from words leaves the text alone', () => {
  expect(new Secret('x').redact('next')).toBe('next');
});
