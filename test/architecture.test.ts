/** What a linter cannot hold: layout, opening texts, public names, and documents that say what the program says. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../src/core/version.ts';
import * as workflows from '../src/workflows/index.ts';

const ROOT = resolve(import.meta.dirname, '..');
const LAYERS = [
  'activities',
  'cli',
  'core',
  'embedded',
  'formats',
  'gate',
  'ledger',
  'notify',
  'products',
  'sources',
  'storage',
  'workflows',
];
/** Files beside the layers: the composition root, the SDK's runtime, the typed calls, the configuration. */
const ALONE = ['client.ts', 'config.ts', 'runtime.ts', 'worker.ts', 'schedules.ts', 'metrics.ts', 'health.ts'];
const LONGEST_FILE = 450;

const filesOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted();
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const SOURCES = filesOf('src').filter((path) => path.endsWith('.ts'));
const SIMULATOR = filesOf('simulator').filter((path) => path.endsWith('.ts'));
const FOLDERS = [...new Set([...SOURCES, ...SIMULATOR].map((path) => dirname(path)))].filter((path) => path !== 'src');

/** Comments and texts out, so that only code is left. Template strings stay: code may be inside. */
function codeOf(path: string): string {
  return read(path)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/'[^'\n]*'/g, "''");
}

/** Modules of this project that a file imports, as paths from the root. */
function importsOf(path: string): string[] {
  return [...read(path).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, target = '']) =>
    relative(ROOT, resolve(ROOT, dirname(path), target)),
  );
}

describe('layout', () => {
  test('every file under src belongs to a layer', () => {
    const homeless = filesOf('src').filter((path) => {
      const [, layer = '', ...rest] = path.split('/');
      return rest.length === 0 ? !ALONE.includes(layer) : !LAYERS.includes(layer);
    });
    expect(homeless).toEqual([]);
  });

  test('the layers of docs/architecture.md are the folders of src', () => {
    const [, picture = ''] = /## Layers\n+```\n([\s\S]*?)```/.exec(read('docs/architecture.md')) ?? [];
    const named = new Set([...picture.matchAll(/src\/([\w-]+)/g)].map(([, name]) => name));
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).toSorted()).toEqual(LAYERS);
    expect(LAYERS.filter((layer) => !named.has(layer))).toEqual([]);
  });

  test.for(FOLDERS)(
    '%s opens with what it is for: in its README or index, or by name in those of its parent',
    (folder) => {
      const opens = (path: string): boolean =>
        existsSync(join(ROOT, path)) && (path.endsWith('.md') ? /^# \S/ : /^\/\*\*/).test(read(path));
      const own = ['README.md', 'index.ts'].some((name) => opens(join(folder, name)));
      const named = ['README.md', 'index.ts']
        .map((name) => join(dirname(folder), name))
        .some((path) => opens(path) && read(path).includes(`\`${basename(folder)}/`));
      expect(own || named).toBe(true);
    },
  );

  test('every test file of a layer stands in the folder that mirrors it', () => {
    const folders = new Set([...SOURCES, ...SIMULATOR].map((path) => dirname(path.replace(/^src\//, ''))));
    const special = [
      'bin',
      'contract',
      'deploy',
      'docs',
      'e2e',
      'histories',
      'replay',
      'scripts',
      'servers',
      'soak',
      'support',
    ];
    const strangers = filesOf('test')
      .filter((path) => path.endsWith('.test.ts'))
      .map((path) => dirname(relative('test', path)))
      .filter((folder) => folder !== '.' && !folders.has(folder) && !special.includes(folder.split('/')[0] ?? ''));
    expect([...new Set(strangers)]).toEqual([]);
  });

  test(`no file under src is longer than ${LONGEST_FILE} lines, and the median is below 250`, () => {
    const lengths = SOURCES.map((path) => ({ path, lines: read(path).split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > LONGEST_FILE)).toEqual([]);
    const median = lengths.map(({ lines }) => lines).toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)];
    expect(median).toBeLessThan(250);
  });

  test('only the requests to a bucket and the lookup of the token know the AWS SDK', () => {
    const knowing = SOURCES.filter((path) => /(?:from|import)\s*\(?\s*'@aws-sdk\//.test(read(path)));
    expect(knowing).toEqual(['src/sources/udl/token.ts', 'src/storage/s3/bucket.ts']);
  });

  test('the simulator shares only core with the program, and the program nothing with it, tests or scripts', () => {
    const allowed = (path: string): boolean => path.startsWith('simulator/') || path.startsWith('src/core/');
    const borrowed = SIMULATOR.flatMap((path) =>
      importsOf(path)
        .filter((target) => !allowed(target))
        .map((target) => `${path} → ${target}`),
    );
    expect(borrowed).toEqual([]);
    const leaked = SOURCES.flatMap((path) =>
      importsOf(path)
        .filter((target) => !target.startsWith('src/') && target !== 'package.json')
        .map((target) => `${path} → ${target}`),
    );
    expect(leaked).toEqual([]);
  });
});

describe('time and chance', () => {
  const PURE = SOURCES.filter((path) => /^src\/(core|workflows)\//.test(path));

  test.for(['new Date()', 'Date.now', 'Math.random', 'performance.now', 'process.', 'setTimeout('])(
    'core and workflows do not use %s',
    (word) => {
      expect(PURE.length).toBeGreaterThan(20);
      expect(PURE.filter((path) => codeOf(path).includes(word))).toEqual([]);
    },
  );

  test('only config.ts is given the environment of the process', () => {
    const readers = SOURCES.filter((path) => codeOf(path).includes('process.env'));
    expect(readers).toEqual([
      'src/cli/support/context.ts',
      // PATH, HOME and the like, handed on to the server.
      'src/embedded/temporal-server.ts',
      // Node's own variable for its thread pool.
      'src/formats/cdf/write/writer.ts',
    ]);
  });
});

describe('public names', () => {
  test('the workflow types are exactly four', () => {
    expect(Object.keys(workflows).toSorted()).toEqual(['backfillRange', 'processDay', 'scheduledBackfill', 'syncZarr']);
  });

  test("the program's version is the package's", () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(VERSION).toBe(version);
  });
});

/** The default that a flag's help names; none for switches and flags that must be given. */
function standardOf(help: string): string | null {
  return /[( ]default: "?([^")]+)"?\)/.exec(help)?.[1] ?? null;
}

describe('README.md says what the program says', () => {
  const help = (...args: string[]): string =>
    execFileSync(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...args, '--help'], { encoding: 'utf8' });

  /** Rows of the table with this head, as cells without backticks. */
  function tableOf(head: string): string[][] {
    const lines = read('README.md').split('\n');
    const start = lines.indexOf(head) + 2;
    expect(start).toBeGreaterThan(2);
    const rows = lines.slice(
      start,
      lines.findIndex((line, index) => index > start && !line.startsWith('|')),
    );
    return rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

  test('every command of the program, and no other', () => {
    const [, list = ''] = /Commands:\n([\s\S]*?)\n\n/.exec(`${help()}\n\n`) ?? [];
    const commands = [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== 'help');
    const named = tableOf('| command | what it does |').flatMap(([cell]) =>
      quoted(cell).map((text) => text.split(' ')[0]),
    );
    expect(commands.length).toBeGreaterThan(10);
    expect(new Set(named)).toEqual(new Set(commands));
  });

  test('every flag of run, with its default, and no other', () => {
    const [, list = ''] = /Options:\n([\s\S]*?)\n\n/.exec(help('run')) ?? [];
    const options = list
      .split(/\n(?= {2}-)/)
      .map((text) => text.replaceAll(/\s+/g, ' ').trim())
      .map((text) => {
        const [, short = '', long = ''] = /^(?:(-\w), )?(--[\w-]+)/.exec(text) ?? [];
        return { names: [short, long].filter(Boolean), standard: standardOf(text) };
      })
      .filter(({ names }) => !names.includes('--help'));
    const rows = tableOf('| flag | default | meaning |').map(([flags, standard = '']) => ({
      names: quoted(flags).map((text) => text.split(' ')[0] ?? ''),
      standards: standard.split(',').map((text) => text.replaceAll('`', '').trim()),
    }));
    const listed = rows.flatMap(({ names }) => names).toSorted();
    expect(listed).toEqual(options.flatMap(({ names }) => names).toSorted());
    for (const { names, standards } of rows) {
      const defaults = names.map((name) => options.find((option) => option.names.includes(name))?.standard ?? null);
      const expected = defaults.every((value) => value === null) ? null : defaults;
      expect({ names, defaults: expected && standards }).toEqual({ names, defaults: expected });
    }
  });

  test('every variable that the program reads', () => {
    const [, declared = ''] = /const VARIABLES = z\.object\(\{([\s\S]*?)\n\}\);/.exec(read('src/config.ts')) ?? [];
    const variables = [...declared.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name);
    const named = tableOf('| variable | meaning |').flatMap(([cell]) => quoted(cell));
    expect(variables.length).toBeGreaterThan(5);
    expect(variables.filter((name) => name === undefined || !named.includes(name))).toEqual([]);
  });
});
