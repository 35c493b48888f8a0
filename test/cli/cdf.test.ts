/** `reachback cdf dump|validate|diff`: what is printed, and the exit codes. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addCdfCommand } from '../../src/cli/cdf.ts';
import type { CliContext } from '../../src/cli/support/context.ts';
import { EXIT } from '../../src/cli/support/exit-codes.ts';
import { CdfWriter, utcToTt2000 } from '../../src/formats/cdf/index.ts';

let folder: string;
let first: string;
let second: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-cdf-'));
  first = await writeFlux('first.cdf', [1.5, 2.5], 'nT');
  second = await writeFlux('second.cdf', [1.5, 2.75], 'uT');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function writeFlux(name: string, flux: readonly number[], units: string): Promise<string> {
  const path = join(folder, name);
  const writer = await CdfWriter.open(path, {
    globalAttributes: [['Project', ['one', 'two']]],
    variables: [
      { name: 'Epoch', type: 'CDF_TIME_TT2000', recordVarying: true },
      { name: 'flux', type: 'CDF_DOUBLE', recordVarying: true, gzipLevel: 1, attributes: [['UNITS', units]] },
      { name: 'sensor', type: 'CDF_CHAR', elements: 5, dims: [2], recordVarying: false },
    ],
  });
  const start = utcToTt2000('2016-12-31T23:59:60Z');
  await writer.append('Epoch', BigInt64Array.of(start, start + 1_500_000_000n));
  await writer.append('flux', Float64Array.from(flux));
  await writer.append('sensor', ['left', 'right']);
  await writer.close();
  return path;
}

async function run(...words: readonly string[]): Promise<{ code: number | undefined; text: string }> {
  const printed: string[] = [];
  let code: number | undefined;
  const context = { print: (text: string) => void printed.push(text) } as unknown as CliContext;
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addCdfCommand(program, context, (given) => (code = given));
  await program.parseAsync(['cdf', ...words], { from: 'user' });
  return { code, text: printed.join('\n') };
}

describe('cdf dump', () => {
  test('for people: variables, attributes, times as UTC', async () => {
    const { code, text } = await run('dump', first);
    expect(code).toBe(EXIT.ok);
    for (const part of ['Epoch', '2016-12-31T23:59:60.000000000Z', 'flux', '1.5, 2.5', 'left', 'Project']) {
      expect(text).toContain(part);
    }
  });

  test('--json: one object with everything; --values cuts the values', async () => {
    const { code, text } = await run('dump', '--json', '--values', '1', first);
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(text)).toMatchObject({
      file: { hasChecksum: true, majority: 'row', encoding: 6 },
      globalAttributes: { Project: ['one', 'two'] },
      variables: [
        { name: 'Epoch', records: 2, values: ['2016-12-31T23:59:60.000000000Z'] },
        { name: 'flux', compression: 'gzip', attributes: { UNITS: 'nT' }, values: [1.5] },
        { name: 'sensor', dims: [2], recordVarying: false, values: ['left'] },
      ],
    });
  });

  test.for([
    ['a file that is no CDF', 'text.cdf', 'not a CDF', /magic numbers of CDF version 3/],
    ['a file that ends early', 'short.cdf', null, /byte/],
  ] as const)('%s is an error of the input that names what is wrong', async ([, name, content, message]) => {
    const path = join(folder, name);
    await writeFile(path, content ?? (await readFile(first)).subarray(0, 700));
    await expect(run('dump', path)).rejects.toMatchObject({ kind: 'input_invalid', message });
  });

  test('a file that is not there', async () => {
    await expect(run('dump', join(folder, 'no.cdf'))).rejects.toMatchObject({
      kind: 'input_invalid',
      message: expect.stringContaining('no.cdf'),
    });
  });
});

describe('cdf validate', () => {
  test('exit 0 for a sound file, its ISTP findings left out when asked', async () => {
    const { code, text } = await run('validate', '--no-istp', first);
    expect([code, text]).toEqual([
      EXIT.ok,
      expect.stringMatching(/first\.cdf: valid: 0 errors, 0 warnings .*checksum ok/),
    ]);
  });

  test('exit 1 when one of several files has errors, each told with its rule', async () => {
    const broken = join(folder, 'broken.cdf');
    await writeFile(broken, await readFile(first));
    await appendFile(broken, 'xyz');
    const { code, text } = await run('validate', '--no-istp', broken, first);
    expect(code).toBe(EXIT.failed);
    expect(text).toContain('3 bytes after its end that belong to nothing (structure.end)');
    expect(text).toMatch(/broken\.cdf: NOT valid: 1 errors[^]*first\.cdf: valid/);
  });

  test('exit 1 for breaches of ISTP', async () => {
    const { code, text } = await run('validate', '--json', first);
    expect(code).toBe(EXIT.failed);
    const { findings } = JSON.parse(text) as { findings: { rule: string }[] };
    expect(findings.map(({ rule }) => rule)).toContain('istp.global_required');
  });
});

describe('cdf diff', () => {
  test('exit 0 and a word when nothing differs', async () => {
    expect(await run('diff', first, first)).toEqual({ code: EXIT.ok, text: 'No differences.' });
  });

  test('exit 1 and a table when something does', async () => {
    const { code, text } = await run('diff', first, second);
    expect(code).toBe(EXIT.failed);
    expect(text).toMatch(/variable_attribute\s+flux\.UNITS/);
    expect(text).toMatch(/values\s+flux\[1\]/);
  });

  test('tolerances and attributes left out make them equal', async () => {
    const without = ['--ignore-attribute', 'UNITS'];
    expect((await run('diff', ...without, '--absolute', '0.25', first, second)).code).toBe(EXIT.ok);
    expect((await run('diff', ...without, '--absolute', '0.2', first, second)).code).toBe(EXIT.failed);
    expect((await run('diff', ...without, '--relative', '0.1', first, second)).code).toBe(EXIT.ok);
    expect((await run('diff', ...without, '--relative', '0.01', '--json', first, second)).text).toContain(
      '"kind":"values"',
    );
  });

  test.for([
    ['--absolute', '-1'],
    ['--relative', ''],
    ['--absolute', 'much'],
  ] as const)('%s "%s" is refused', async ([flag, value]) => {
    await expect(run('diff', flag, value, first, second)).rejects.toThrow(/number of 0 or more/);
  });
});
