import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { CRASH_POINTS, parseCrashPoint } from '../../src/storage/crash-point.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MODULE = join(ROOT, 'src/storage/crash-point.ts');

/** Passes three places in a process of its own; it prints each one it survives. */
function passThrough(armed: string): { readonly signal: string | null; readonly survived: string[] } {
  const script = `
    import { writeSync } from 'node:fs';
    import { armCrashPoint, crashPoint, parseCrashPoint } from ${JSON.stringify(MODULE)};
    armCrashPoint(parseCrashPoint(${JSON.stringify(armed)}));
    for (const name of ['slice-renamed', 'cdf-renamed', 'slice-renamed']) {
      crashPoint(name);
      writeSync(1, name + '\\n');
    }`;
  const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return { signal, survived: stdout.split('\n').filter(Boolean) };
}

test.for([
  ['', null, 3],
  ['slice-renamed', 'SIGKILL', 0],
  ['cdf-renamed:1', 'SIGKILL', 1],
  ['slice-renamed:2', 'SIGKILL', 2],
  ['slice-renamed:3', null, 3],
  ['upload-renamed', null, 3],
] as const)('a process armed with "%s" ends by %s after %d places', ([armed, signal, survived]) => {
  const ended = passThrough(armed);
  expect(ended.signal).toBe(signal);
  expect(ended.survived).toHaveLength(survived);
});

test.for(['slice', 'slice-renamed:0', 'slice-renamed:', 'slice-renamed:x', ' slice-renamed'])(
  '"%s" names no place',
  (text) => expect(parseCrashPoint(text)).toBeNull(),
);

test('every place stands in the code exactly once: a drill that names it meets it', () => {
  const code = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    .join('\n');
  const found = [...code.matchAll(/\bcrashPoint\('([^']+)'\)/g)].map(([, name = '']) => name);
  expect(found.toSorted()).toEqual([...CRASH_POINTS].toSorted());
});
