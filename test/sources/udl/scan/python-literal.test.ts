import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parseJson } from '../../../../src/sources/udl/scan/parsed-record.ts';
import { pythonJson, pythonLiteral } from '../../../../src/sources/udl/scan/python-literal.ts';

/** JSON texts whose numbers are written as Python writes them. */
const CASES = [
  'null',
  'true',
  'false',
  '0',
  '-41917',
  '12345678901234567890',
  '0.0',
  '-0.5',
  '9.2e-05',
  '1e+16',
  '5.820433436476043e-07',
  '-1e+31',
  '""',
  '"plain"',
  '"it\'s"',
  '"say \\"hi\\""',
  '"both \' and \\""',
  '"back\\\\slash"',
  '"tab\\tnewline\\nreturn\\r"',
  '"\\u0000\\u0001\\u001f\\u007f\\u0080\\u00a0\\u00ad"',
  '"é ß ¡ ÿ Ā"',
  '"日本語 кириллица"',
  '"😀 \\ud83d\\ude80"',
  '"\\u200b\\u2028\\u2029\\ufeff\\u3000"',
  '"\\ud800 alone"',
  '"\\ue000 private"',
  '"\\udb40\\udc01 tag"',
  '[]',
  '{}',
  '[1, 2.5, [null, [true]]]',
  '{"obType": "Energetic Charged Particle", "obValue": null, "o\'key": {"a": [], "b": {}}}',
  '[{"a": "x, y"}, "z"]',
];

/** What Python itself prints for each case, and for its value as `json.dumps` writes it. */
const SCRIPT = `
import json, sys
values = [json.loads(text) for text in json.load(sys.stdin)]
print(json.dumps([[repr(value), json.dumps(value)] for value in values]))
`;

// Python 3 is a requirement of the suite.
const expected = JSON.parse(
  execFileSync('python3', ['-c', SCRIPT], { input: JSON.stringify(CASES), encoding: 'utf8' }),
) as [string, string][];

test.for(CASES.map((json, index) => ({ json, python: expected[index]![0], dumped: expected[index]![1] })))(
  'UDL-29, UDL-30: $json is written as Python writes it',
  ({ json, python, dumped }) => {
    expect(pythonLiteral(parseJson(json))).toBe(python);
    expect(pythonJson(parseJson(json))).toBe(dumped);
  },
);

test('numbers are copied verbatim: the exact double, whatever the notation', () => {
  expect(pythonLiteral(parseJson('[1.0, 5.80E-7, 1E5, -0]'))).toBe('[1.0, 5.80E-7, 1E5, -0]');
});
