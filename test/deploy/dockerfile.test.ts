import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT, readComposeFile, readProjectFile } from './compose-file.ts';

interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** Comments left out, continued lines joined. */
const instructions: Instruction[] = readProjectFile('Dockerfile')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ name: line.split(' ', 1)[0]!, value: line.slice(line.indexOf(' ') + 1) }));

const valuesOf = (name: string): string[] =>
  instructions.filter((instruction) => instruction.name === name).map(({ value }) => value);
/** The paths of an exec-form instruction, inside the image. */
const programs = (value: string): string[] =>
  [...value.matchAll(/"(\/opt\/reachback\/[^"]+)"/g)].map(([, path]) => path!.replace('/opt/reachback/', ''));

test('temporal §6: the image is built on the Node that the lock file names, on a pinned slim Debian', () => {
  const { dependencies } = JSON.parse(readProjectFile('package.json')) as { dependencies: { node: string } };
  const bases = valuesOf('FROM').map((value) => value.split(' ')[0]);
  expect(new Set(bases)).toEqual(new Set([`node:${dependencies.node}-bookworm-slim`]));
});

test('temporal §6: packages are those of the lock file, without those of development, by an npm that heeds allowScripts', () => {
  const runs = valuesOf('RUN');
  expect(runs[0]).toMatch(/^npm install --global npm@11\.19\.\d+$/);
  expect(runs[1]).toContain('npm ci --omit=dev');
});

test('temporal §6: the image runs reachback worker as an ordinary user', () => {
  expect(valuesOf('ENTRYPOINT')).toEqual(['["/opt/reachback/bin/reachback"]']);
  expect(valuesOf('CMD')).toEqual(['["worker"]']);
  expect(valuesOf('USER')).toEqual(['node']);
  expect(instructions.findIndex(({ name }) => name === 'USER')).toBeLessThan(
    instructions.findIndex(({ name }) => name === 'ENTRYPOINT'),
  );
});

test('temporal §6: the workspace of the compose file is the default workspace in the image’s working folder', () => {
  const target = readComposeFile().services['worker']!.volumes![0]!.split(':')[1];
  expect(join(valuesOf('WORKDIR').at(-1)!, 'data')).toBe(target);
  expect(valuesOf('RUN').at(-1)).toContain(`--owner=node --group=node ${target} /srv/state`);
  expect(readComposeFile().services['worker']!.environment!['XDG_STATE_HOME']).toBe('/srv/state');
});

test('temporal §6: the health check is a program of the image', () => {
  const [check = ''] = valuesOf('HEALTHCHECK');
  const paths = [...programs(check), ...programs(readComposeFile().services['simulator']!.healthcheck!.test.join('"'))];
  expect(paths).toContain('deploy/worker/health.ts');
  expect(paths.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
});

test('temporal §6: what is copied exists, and is all that the build may see: no .env, no data', () => {
  const allowed = readProjectFile('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(allowed.shift()).toBe('*');
  const copied = valuesOf('COPY')
    .filter((value) => !value.startsWith('--from'))
    .flatMap((value) => value.split(' ').slice(0, -1));
  expect(new Set(allowed)).toEqual(new Set(copied.map((path) => `!${path}`)));
  expect(copied.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
});
