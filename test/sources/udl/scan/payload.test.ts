import { describe, expect, test } from 'vitest';
import { PayloadError } from '../../../../src/sources/udl/scan/record-scanner.ts';
import { START, scanBody } from './scan-body.ts';

const TIME = '"obTime":"2025-12-01T00:00:01.000Z"';
const RECORD = `{"id":"a",${TIME}}`;

describe('design §3: only [] is empty', () => {
  test.for(['[]', ' [ ] ', '\n[\n]\n', '\u{feff}[]'])('%j', (body) => {
    expect(scanBody(body)).toMatchObject({ received: 0, text: '' });
  });
});

describe('design §3: data', () => {
  test.for<[string, string, number]>([
    ['a list', `[${RECORD}]`, 1],
    ['a list with white space', ` [ ${RECORD} , ${RECORD} ] `, 2],
    ['one lone valid object', RECORD, 1],
  ])('%s', ([, body, records]) => {
    expect(scanBody(body)).toMatchObject({ received: records, text: 'a,2025-12-01T00:00:01.000Z\r\n'.repeat(records) });
  });
});

describe('UDL-D1: everything else is of the wrong kind', () => {
  test.for<[string, string | Uint8Array, string]>([
    ['nothing', '', 'the answer is empty'],
    ['white space', ' \n', 'the answer is empty'],
    ['null', 'null', 'no JSON list'],
    ['zero', '0', 'no JSON list'],
    ['an empty text', '""', 'no JSON list'],
    ['an empty object', '{}', 'an object without obTime'],
    ['an error object', '{"error":"internal","status":500}', 'an object without obTime'],
    ['HTML', '<!DOCTYPE html><html></html>', 'no JSON list'],
    ['plain text', 'Service unavailable', 'no JSON list'],
    ['a cut list', `[${RECORD},{"id":"b","obTi`, 'the JSON ends early'],
    ['a list cut behind a record', `[${RECORD}`, 'the JSON ends early'],
    ['a list cut behind a comma', `[${RECORD},`, 'the JSON ends early'],
    ['a list cut inside a copied record', `[${RECORD},${RECORD.slice(0, -9)}`, 'the JSON ends early'],
    ['a lone cut object', RECORD.slice(0, -1), 'the JSON ends early'],
    ['a comma too many', `[${RECORD},]`, 'element 2 of the list is no object'],
    ['a comma missing', `[${RECORD}${RECORD}]`, 'broken behind record 1'],
    ['something behind the list', `[${RECORD}]x`, 'something follows'],
    ['something behind an empty list', '[] []', 'something follows'],
    ['something behind a lone object', `${RECORD}${RECORD}`, 'something follows'],
    ['a list of numbers', '[1,2]', 'element 1 of the list is no object'],
    ['a list of lists', `[[${RECORD}]]`, 'element 1 of the list is no object'],
    ['a null among records', `[${RECORD},null]`, 'element 2 of the list is no object'],
    ['an object without obTime among records', `[${RECORD},{"id":"b"}]`, 'record 2 has no obTime'],
    ['an obTime that is no text', `[{"obTime":1764547201000}]`, 'record 1 has no obTime'],
    [
      'an obTime that is no time',
      `[${RECORD},{"id":"b","obTime":"yesterday"}]`,
      'the obTime of record 2 is no time: "yesterday"',
    ],
    ['broken JSON inside a record', `[{"id":01,${TIME}}]`, 'record 1 is no JSON'],
    ['broken JSON inside a copied record', `[{"id":1,${TIME}},{"id":01,${TIME}}]`, 'record 2 is no JSON'],
    ['a raw control character', `[{"id":"a\u0001",${TIME}}]`, 'record 1 is no JSON'],
    ['invalid UTF-8', Buffer.from(`[{"id":"\u00ff",${TIME}}]`, 'latin1'), 'record 1 is no JSON'],
    [
      'records far from what was asked',
      '[{"obTime":"2024-01-01T00:00:00Z"}]',
      'all 1 records lie outside the time range',
    ],
  ])('%s', ([, body, message]) => {
    expect(() => scanBody(body)).toThrow(PayloadError);
    expect(() => scanBody(body)).toThrow(message);
  });
});

describe('UDL-D6: records outside the slice are dropped and counted', () => {
  const at = (ms: number): string => `{"obTime":"${new Date(START + ms).toISOString()}"}`;
  test('the end is excluded, the start included, sub-seconds count', () => {
    const body = `[${[-1, 0, 500, 299_999, 300_000].map(at).join(',')}]`;
    expect(scanBody(body)).toMatchObject({ received: 5, outside: 2, counts: { records: 3 } });
  });

  test('a slice whose only record lies on its end holds nothing, and that is no failure', () => {
    expect(scanBody(`[${at(300_000)}]`)).toMatchObject({
      received: 1,
      outside: 1,
      counts: { records: 0 },
      columns: [],
      text: '',
    });
  });

  test('UDL-D11: a leap second belongs to the day that it ends', () => {
    const start = Date.parse('2016-12-31T23:55:00Z');
    const slice = { startMs: start, endMs: start + 300_000, queryStartMs: start, queryEndMs: start + 300_000 };
    expect(scanBody('[{"obTime":"2016-12-31T23:59:60.500Z"}]', { slice })).toMatchObject({
      outside: 0,
      counts: { records: 1 },
    });
  });
});

describe('UDL-D10: counting', () => {
  const record = (sensor: string | null, observatory: string, seconds: number, dose: string): string =>
    JSON.stringify({
      ...(sensor === null ? {} : { idSensor: sensor }),
      observatoryName: observatory,
      obTime: new Date(START + seconds * 1_000).toISOString(),
      seoList: [{ obDescription: dose }],
    });

  test('a reading is a sensor, a dosimeter and an instant; duplicates are records of the same reading', () => {
    const records = [
      record('REACH-101', 'Iridium-102', 0, 'DOSE1'),
      record('REACH-101', 'Iridium-102', 0, 'DOSE1'),
      record('REACH-101', 'Iridium-102', 0, 'DOSE2'),
      record('REACH-101', 'Iridium-102', 5, 'DOSE1'),
      record('REACH-102', 'Iridium-113', 5, 'DOSE1'),
      record('', 'Iridium-102', 5, 'DOSE1'),
      record(null, 'Iridium-113', 10, 'DOSE1'),
      record(' ', 'unknown', 10, 'DOSE1'),
    ];
    expect(scanBody(`[${records.join(',')}]`).counts).toEqual({
      records: 8,
      distinctReadings: 6,
      recordsPerSensor: { '?': 1, 'REACH-101': 5, 'REACH-102': 2 },
    });
  });

  test('a quoted newline is no record', () => {
    const body = `[${JSON.stringify({ id: 'a\nb', obTime: '2025-12-01T00:00:01Z' })}]`;
    expect(scanBody(body)).toMatchObject({ counts: { records: 1 }, text: '"a\nb",2025-12-01T00:00:01Z\r\n' });
  });
});

describe('UDL-29, UDL-30: notation', () => {
  const body = `[{"id":null,"ok":true,"no":false,"n":5.80E-7,"t":"a,b","q":"say \\"x\\"","obTime":"2025-12-01T00:00:01Z",
    "senPos":[1,2.50,-3],"one":[1],"seoList":[{"obValue":null,"s":"it's"}],"u":"é😀"}]`;

  test('CSV: CRLF, minimal quoting, True/False, Python literals, numbers verbatim', () => {
    expect(scanBody(body).text).toBe(
      ',True,False,5.80E-7,"a,b","say ""x""",2025-12-01T00:00:01Z,"[1, 2.50, -3]",[1],"[{\'obValue\': None, \'s\': ""it\'s""}]",é😀\r\n',
    );
  });

  test('JSON: one line, ", " and ": ", non-ASCII escaped', () => {
    expect(scanBody(body, { format: 'json' }).text).toBe(
      '{"id": null, "ok": true, "no": false, "n": 5.80E-7, "t": "a,b", "q": "say \\"x\\"", "obTime": "2025-12-01T00:00:01Z", ' +
        '"senPos": [1, 2.50, -3], "one": [1], "seoList": [{"obValue": null, "s": "it\'s"}], "u": "\\u00e9\\ud83d\\ude00"}',
    );
  });
});
