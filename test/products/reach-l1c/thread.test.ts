/**
 * The work as callers start it: in a thread, with progress, cancellation and errors that keep their kind.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { build } from '../../../src/products/reach-l1c/build.ts';
import { buildL1c, countArtifact } from '../../../src/products/reach-l1c/index.ts';
import { buildRequest, CSV_SAMPLE, DAY_NAME, goodRecords, JSON_SAMPLE, toCsv } from './support.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-l1c-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('the same request gives the same bytes, in a thread or not', async () => {
  const [first, second] = [join(folder, 'first.cdf'), join(folder, 'second.cdf')];
  const inThread = await buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: first, profile: 'istp' }));
  const direct = await build(
    buildRequest({ inputPath: CSV_SAMPLE, outputPath: second, profile: 'istp' }),
    () => undefined,
  );
  expect(inThread).toEqual(direct);
  expect((await readFile(first)).equals(await readFile(second))).toBe(true);
  expect(await readdir(folder)).toEqual(['first.cdf', 'second.cdf']);
});

test('one day after the other, in between one that fails: the bytes of a build by itself', async () => {
  const alone = join(folder, 'alone.cdf');
  await build(buildRequest({ inputPath: CSV_SAMPLE, outputPath: alone }), () => undefined);
  const broken = join(folder, `${DAY_NAME}.csv`);
  await writeFile(broken, toCsv([]));
  for (const name of ['1.cdf', '2.cdf', '3.cdf']) {
    const outputPath = join(folder, name);
    // A small day between two large ones: nothing of the one before may show through.
    const small = buildRequest({ inputPath: JSON_SAMPLE, format: 'json', outputPath: join(folder, 'small.cdf') });
    if (name === '2.cdf') await buildL1c(small);
    await buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath }));
    expect((await readFile(outputPath)).equals(await readFile(alone))).toBe(true);
    await expect(buildL1c(buildRequest({ inputPath: broken, outputPath: join(folder, 'x.cdf') }))).rejects.toThrow(
      'has no idSensor',
    );
  }
});

test('two at once, and a third after one was aborted', async () => {
  const alone = join(folder, 'alone.cdf');
  await build(buildRequest({ inputPath: CSV_SAMPLE, outputPath: alone }), () => undefined);
  const controller = new AbortController();
  const paths = ['a.cdf', 'b.cdf', 'c.cdf'].map((name) => join(folder, name));
  const [one, two] = [paths[0]!, paths[1]!].map((outputPath) =>
    buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath })),
  );
  const aborted = buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'x.cdf') }), {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  });
  await expect(aborted).rejects.toThrow('enough');
  await Promise.all([one, two]);
  await buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: paths[2]! }));
  for (const path of paths) expect((await readFile(path)).equals(await readFile(alone))).toBe(true);
  expect((await readdir(folder)).toSorted()).toEqual(['a.cdf', 'alone.cdf', 'b.cdf', 'c.cdf']);
});

test('progress ends with all bytes read', async () => {
  const told: unknown[] = [];
  const { size } = await import('node:fs').then(({ statSync }) => statSync(CSV_SAMPLE));
  await buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'p.cdf') }), {
    onProgress: (progress) => told.push(progress),
  });
  expect(told.at(-1)).toEqual({ phase: 'writing', bytesRead: size, bytesTotal: size });
});

describe('SAFE-5: nothing stays of a build', () => {
  test('that is aborted: the promise rejects with the reason', async () => {
    const controller = new AbortController();
    const promise = buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'x.cdf') }), {
      signal: controller.signal,
    });
    controller.abort(new Error('enough'));
    await expect(promise).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual([]);
  });

  test('whose signal was aborted before', async () => {
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(
      buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'x.cdf') }), { signal }),
    ).rejects.toThrow('too late');
    expect(await readdir(folder)).toEqual([]);
  });

  test('that ends while it writes', async () => {
    const request = buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'x.cdf') });
    const stop = (progress: { phase: string }): void => {
      if (progress.phase === 'writing') throw new Error('stop');
    };
    await expect(build(request, stop)).rejects.toThrow('stop');
    expect(await readdir(folder)).toEqual([]);
  });

  test('that fails, and traces of a killed thread are cleared', async () => {
    const inputPath = join(folder, `${DAY_NAME}.csv`);
    await writeFile(inputPath, toCsv([]));
    const trace = `.x.cdf.${process.pid}-0badcafe.tmp`;
    for (const name of ['x.cdf', trace, '.other.cdf.1-0badcafe.tmp']) await writeFile(join(folder, name), '');
    await expect(buildL1c(buildRequest({ inputPath, outputPath: join(folder, 'x.cdf') }))).rejects.toMatchObject({
      kind: 'input_invalid',
    });
    expect((await readdir(folder)).toSorted()).toEqual(['.other.cdf.1-0badcafe.tmp', `${DAY_NAME}.csv`]);
  });
});

describe('errors cross the border of the thread with kind, message and hint', () => {
  test('a missing input', async () => {
    const inputPath = join(folder, `${DAY_NAME}.csv`);
    const error = {
      name: 'PipelineError',
      kind: 'input_invalid',
      message: expect.stringContaining(inputPath) as string,
      hint: expect.stringContaining('Download') as string,
    };
    await expect(buildL1c(buildRequest({ inputPath, outputPath: join(folder, 'x.cdf') }))).rejects.toMatchObject(error);
    await expect(countArtifact(inputPath, 'csv')).rejects.toMatchObject(error);
  });

  test('an input whose name says nothing (CDF-4)', async () => {
    const inputPath = join(folder, 'day.csv');
    await writeFile(inputPath, toCsv(goodRecords(2)));
    await expect(buildL1c(buildRequest({ inputPath, outputPath: join(folder, 'x.cdf') }))).rejects.toMatchObject({
      kind: 'input_invalid',
      message: expect.stringContaining('"day.csv"') as string,
    });
  });

  test('an output folder that is not there', async () => {
    const outputPath = join(folder, 'missing', 'x.cdf');
    await expect(buildL1c(buildRequest({ inputPath: JSON_SAMPLE, format: 'json', outputPath }))).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('missing') as string,
    });
  });

  test('a defect of ours is called one', async () => {
    const request = {
      ...buildRequest({ inputPath: CSV_SAMPLE, outputPath: join(folder, 'x.cdf') }),
      sensor: undefined as unknown as string,
    };
    await expect(buildL1c(request)).rejects.toMatchObject({
      kind: 'invariant_broken',
      hint: expect.stringContaining('bug') as string,
    });
  });
});
