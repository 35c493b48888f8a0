import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { createContext } from '../../src/cli/support/context.ts';
import { addWorkerCommand } from '../../src/cli/worker.ts';
import { PROJECT, readComposeFile, readProjectFile } from './compose-file.ts';

const compose = readComposeFile();
const services = Object.entries(compose.services);
const text = readProjectFile('docker-compose.yml');

/** `NAME` → how it is written: `${NAME:?message}` gives `:?message`. */
const variables = [...text.matchAll(/\$\{(\w+)([^}]*)\}/g)].map(([, name, rest]) => ({ name: name!, rest: rest! }));
const passedOn = services.flatMap(([, { environment = {} }]) =>
  Object.entries(environment).flatMap(([name, value]) => (value === null ? [name] : [])),
);
const SECRET = /PASSWORD|PWD|SECRET|TOKEN|AUTH|KEY/;

test('temporal §6: the compose file follows the Compose Specification', () => {
  const schema = JSON.parse(readProjectFile('test/deploy/compose-spec.json')) as object;
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  validate(compose);
  expect(validate.errors).toBeNull();
  validate({ ...compose, services: { ...compose.services, worker: { ...compose.services['worker'], port: [] } } });
  expect(validate.errors).not.toBeNull();
});

test('temporal §6: Temporal on PostgreSQL with its jobs, its web UI, an S3 server, a worker and builders are there; the simulator only when asked for', () => {
  const always = services.flatMap(([name, { profiles }]) => (profiles ? [] : [name]));
  const jobs = ['temporal-schema', 'ledger-init'];
  const servers = ['postgresql', ...jobs, 'temporal', 'temporal-init', 'temporal-ui', 'versitygw'];
  expect(always).toEqual([...servers, 'worker', 'builder']);
  expect(compose.services['simulator']?.profiles).toEqual(['simulator']);
});

test('temporal §6: every image is pinned to a full version, or built here', () => {
  const pulled = services.filter(([, { build }]) => build !== '.').map(([, { image }]) => image);
  expect(pulled).toHaveLength(7);
  expect(pulled.filter((image) => !/^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/.test(image))).toEqual([]);
  expect(pulled.filter((image) => image.includes('auto-setup'))).toEqual([]);
});

test('temporal §6: schema job, server and namespace job are of one release', () => {
  const versions = ['temporal-schema', 'temporal', 'temporal-init'].map((name) => compose.services[name]!.image);
  expect(new Set(versions.map((image) => image.split(':')[1]))).toHaveLength(1);
  expect(versions[1]).toMatch(/^temporalio\/server:1\.32\./);
  expect(compose.services['temporal-ui']!.image).toMatch(/^temporalio\/ui:2\.54\./);
  expect(compose.services['postgresql']!.image).toMatch(/^postgres:16\./);
});

test('temporal §6: no secret has a value or a default: it is required, or passed on from the environment', () => {
  const secrets = services.flatMap(([service, { environment = {} }]) =>
    Object.entries(environment)
      .filter(([name]) => SECRET.test(name))
      .map(([name, value]) => ({ service, name, value })),
  );
  expect(secrets.map(({ name }) => name)).toEqual([
    'POSTGRES_PASSWORD',
    'SQL_PASSWORD',
    'PGPASSWORD',
    'LEDGER_PASSWORD',
    'POSTGRES_PWD',
    'ROOT_ACCESS_KEY',
    'ROOT_SECRET_KEY',
    'PGPASSWORD',
    'BASICAUTH',
    'SECRET_ARN_UDL',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'PGPASSWORD',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
  ]);
  const given = secrets.filter(({ value }) => value !== null && !/^\$\{\w+:\?[^}]+\}$/.test(value));
  expect(given).toEqual([]);
});

test('temporal §6: every variable of the compose file is explained in .env.example, and no secret has a value there', () => {
  const example = readProjectFile('.env.example');
  const lines = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => ({ name, value }));
  const explained = lines.map(({ name }) => name);
  expect(new Set(explained)).toEqual(new Set([...variables.map(({ name }) => name), ...passedOn]));
  expect(lines.filter(({ name, value }) => SECRET.test(name!) && value !== '')).toEqual([]);
});

test('temporal §6: every port is bound to 127.0.0.1, the database has none, the simulator shares only the network of the worker', () => {
  const ports = services.flatMap(([, { ports = [] }]) => ports);
  expect(ports).toHaveLength(3);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  expect(compose.services['postgresql']?.ports).toBeUndefined();
  expect(compose.services['simulator']?.network_mode).toBe('service:worker');
});

test('temporal §6: services wait only for services that exist and can be what is waited for', () => {
  const waits = services.flatMap(([service, { depends_on: needed = {} }]) =>
    Object.entries(needed).map(([name, { condition }]) => ({ service, condition, target: compose.services[name] })),
  );
  const impossible = waits.filter(({ condition, target }) => {
    if (condition === 'service_healthy') return target?.healthcheck === undefined;
    if (condition === 'service_completed_successfully') return target?.restart !== 'no';
    return target === undefined;
  });
  expect(waits).toHaveLength(11);
  expect(impossible).toEqual([]);
});

test('temporal §6: every folder mounted from here exists and is read only, every named volume is declared and used', () => {
  const mounts = services.flatMap(([, { volumes = [] }]) => volumes).map((mount) => mount.split(':'));
  const folders = mounts.filter(([source]) => source!.startsWith('./'));
  expect(folders).toHaveLength(4);
  expect(folders.filter(([source, , mode]) => !existsSync(join(PROJECT, source!)) || mode !== 'ro')).toEqual([]);
  const named = mounts.filter((mount) => !folders.includes(mount)).map(([source]) => source);
  expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
});

test.for([
  ['temporal-schema', compose.services['temporal-schema']?.entrypoint?.[1]],
  ['ledger-init', compose.services['ledger-init']?.entrypoint?.[1]],
  ['temporal-init', compose.services['temporal-init']?.entrypoint?.[1]],
  ['temporal', compose.services['temporal']?.environment?.['DYNAMIC_CONFIG_FILE_PATH']],
] as const)('temporal §6: what %s looks for, %s, is mounted there', ([name, path]) => {
  const [source, target] = compose.services[name]!.volumes![0]!.split(':');
  expect(existsSync(join(PROJECT, path!.replace(target!, source!)))).toBe(true);
});

test('temporal §6: every service that stays up has a health check, the worker that of its image', () => {
  const without = services.filter(([, { restart, healthcheck }]) => restart !== 'no' && healthcheck === undefined);
  expect(without.map(([name]) => name)).toEqual(['worker']);
  expect(readProjectFile('Dockerfile')).toMatch(/^HEALTHCHECK /m);
});

test('temporal §6: the worker has a workspace and a gate that outlive it, and time to hand its work over', () => {
  const { volumes, environment, stop_grace_period: grace } = compose.services['worker']!;
  expect(volumes).toEqual(['workspace:/srv/data', `gate:${environment!['XDG_STATE_HOME']}`]);
  expect(grace).toBe('60s');
});

test('temporal §6: a comment says what each service is for', () => {
  const silent = services.filter(([name]) => !new RegExp(`^ {2}# .+\\n {2}${name}:$`, 'm').test(text));
  expect(silent.map(([name]) => name)).toEqual([]);
});

/** What follows a flag in a command, `--flag value` or `--flag=value`. */
function flag(command: readonly string[], name: string): string | undefined {
  const words = command.flatMap((word) => (word.startsWith('--') ? word.split('=', 2) : [word]));
  return words[words.indexOf(`--${name}`) + 1];
}

test('ADR 0013, 0015: one worker downloads, any number of builders share its staging, its ledger and its S3 server, not its folder', () => {
  const { worker, builder } = compose.services;
  expect([flag(worker!.command!, 'role'), flag(builder!.command!, 'role')]).toEqual(['download', 'build']);
  expect(flag(builder!.command!, 'workspace')).toBe(flag(worker!.command!, 'staging'));
  const [, bucket = ''] = /^s3:\/\/([^/]+)\//.exec(flag(worker!.command!, 'staging')!)!;
  expect(compose.services['versitygw']!.command!.join(' ')).toContain(`/srv/s3/buckets/${bucket} `);
  for (const [name, value] of Object.entries(builder!.environment!)) expect(worker!.environment![name]).toBe(value);
  expect(builder!.environment).toHaveProperty('REACHBACK_LEDGER_URL');
  expect(builder!.environment).not.toHaveProperty('BASICAUTH');
  expect(builder!.volumes).toEqual([`scratch:${flag(builder!.command!, 'scratch')}`]);
  expect(readProjectFile('Dockerfile')).toContain(
    `--group=node /srv/data /srv/state ${flag(builder!.command!, 'scratch')}\n`,
  );
  expect(builder!.deploy?.replicas).toBe('${BUILDERS:-2}');
  expect(worker!.deploy).toBeUndefined();
  expect(builder!.healthcheck!.test.at(-1)).toContain(`127.0.0.1:${flag(builder!.command!, 'health')}/readyz`);
});

test('temporal §6: the flags of the workers are flags of the program', () => {
  const program = new Command();
  addWorkerCommand(program, createContext(), () => undefined);
  const known = program.commands[0]!.options.map(({ long }) => long);
  for (const name of ['worker', 'builder']) {
    const given = compose.services[name]!.command!.filter((word) => word.startsWith('--'));
    for (const each of given) expect(known).toContain(each.split('=')[0]);
  }
});
