import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLiteral } from '../../../../src/products/reach-l1c/read/literal.ts';
import { pythonText } from '../support.ts';

describe('UDL-31: nested cells', () => {
  test('in JSON notation give what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseLiteral(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('in Python notation give the value that was written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseLiteral(pythonText(value))).toEqual(value);
      }),
    );
  });

  test.for<[text: string, value: unknown]>([
    [`[{'obValue': 5.6952380952380975e-05, 'obQuality': '0'}]`, [{ obValue: 5.6952380952380975e-5, obQuality: '0' }]],
    [`[{"obValue":5.820433436476043E-7}]`, [{ obValue: 5.820433436476043e-7 }]],
    [`[{'a': None, 'b': True, 'c': False}]`, [{ a: null, b: true, c: false }]],
    [`[{"a":null,"b":true,"c":false}]`, [{ a: null, b: true, c: false }]],
    [`[{'mixed': null, "notation": None}]`, [{ mixed: null, notation: null }]],
    [`[nan, NaN, Infinity, -Infinity, inf]`, [null, null, null, null, null]],
    [`(1, 2.5, -3,)`, [1, 2.5, -3]],
    [`["it's", 'say "x"', 'it\\'s']`, ["it's", 'say "x"', "it's"]],
    [`['\\u00e9\\x41\\U0001F600\\n']`, ['éA😀\n']],
    [` [ ] `, []],
    [`{'__proto__': 1}`, JSON.parse('{"__proto__":1}')],
  ])('%s', ([text, value]) => {
    expect(parseLiteral(text)).toEqual(value);
  });

  test.for([
    '',
    '[',
    '[1',
    '[1 2]',
    '{1: 2}',
    "{'a' 1}",
    "['a",
    '[1]]',
    'foo',
    '[foo]',
    "['\\u12']",
    '[1,,2]',
    '['.repeat(100),
  ])('"%s" is refused with the place of the fault', (text) => {
    expect(() => parseLiteral(text)).toThrow(/^expected .+ at character \d+, got /);
  });
});
