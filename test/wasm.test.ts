/** The compiled byte loops are those of their sources. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { compile, WASM_MODULES } from '../scripts/support/wasm.ts';

const ROOT = resolve(import.meta.dirname, '..');

test('every compiled module under src has a source in wasm/, and every source is compiled', () => {
  const compiled = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.wasm'))
    .map((name) => join(ROOT, 'src', name));
  expect(WASM_MODULES.map(({ target }) => target).toSorted()).toEqual(compiled.toSorted());
  const folders = readdirSync(join(ROOT, 'wasm'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(WASM_MODULES.map(({ source }) => source).toSorted()).toEqual(
    folders.map(({ name }) => join(ROOT, 'wasm', name, 'index.ts')).toSorted(),
  );
});

test.for(WASM_MODULES)('$target is what its source compiles to', async (module) => {
  expect(Buffer.compare(await compile(module), readFileSync(module.target))).toBe(0);
});
