import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../storage/temporary-folder.ts';
import { PROJECT } from './compose-file.ts';

const SCRIPTS = join(PROJECT, 'deploy/temporal');

interface Stubs {
  /** Arguments of every call so far, in order. */
  calls(): Promise<string[]>;
  run(script: string, env: Record<string, string>): { status: number | null; output: string };
}

/** A folder with a program of this name that notes its arguments, then runs `body` (shell). It comes first on PATH. */
async function stubProgram(name: string, body = ''): Promise<Stubs> {
  const folder = await temporaryFolder();
  const log = join(folder, 'calls.log');
  await mkdir(join(folder, 'bin'));
  await writeFile(log, '');
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\necho "$*" >>'${log}'\n${body}\n`);
  await chmod(join(folder, 'bin', name), 0o755);
  return {
    calls: async () => (await readFile(log, 'utf8')).split('\n').slice(0, -1),
    run(script, env) {
      const { status, stdout, stderr } = spawnSync('sh', [join(SCRIPTS, script)], {
        env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, ...env },
        encoding: 'utf8',
        timeout: 30_000,
      });
      return { status, output: `${stdout}${stderr}` };
    },
  };
}

const SQL = { SQL_HOST: 'postgresql', SQL_PASSWORD: 'of-the-database' };
const SCHEMA_CALLS = [
  '--db temporal create-database',
  '--db temporal setup-schema --version 0.0',
  '--db temporal update-schema --schema-dir /etc/temporal/schema/postgresql/v12/temporal/versioned',
  '--db temporal_visibility create-database',
  '--db temporal_visibility setup-schema --version 0.0',
  '--db temporal_visibility update-schema --schema-dir /etc/temporal/schema/postgresql/v12/visibility/versioned',
];

test('temporal §6: the scripts are plain shell, for the images that have no bash', async () => {
  const scripts = (await readdir(SCRIPTS)).filter((name) => name.endsWith('.sh'));
  expect(scripts.toSorted()).toEqual(['init-namespace.sh', 'setup-postgres.sh']);
  for (const name of [...scripts, '../ledger/setup-ledger.sh']) {
    execFileSync('sh', ['-n', join(SCRIPTS, name)]);
    expect(await readFile(join(SCRIPTS, name), 'utf8')).toMatch(/^#!\/bin\/sh\n(#.*\n)+set -eu\n/);
  }
});

test('temporal §6: setup-postgres makes each database, then its version tables, then its schema; again the same', async () => {
  const stubs = await stubProgram('temporal-sql-tool');
  expect(stubs.run('setup-postgres.sh', SQL).status).toBe(0);
  expect(await stubs.calls()).toEqual(SCHEMA_CALLS);
  expect(stubs.run('setup-postgres.sh', SQL).status).toBe(0);
  expect(await stubs.calls()).toEqual([...SCHEMA_CALLS, ...SCHEMA_CALLS]);
});

test('temporal §6: setup-postgres shows the password to nobody: neither in arguments nor in its output', async () => {
  const stubs = await stubProgram('temporal-sql-tool');
  const { output } = stubs.run('setup-postgres.sh', SQL);
  expect(`${output}${(await stubs.calls()).join('\n')}`).not.toContain(SQL.SQL_PASSWORD);
});

test.for(SCHEMA_CALLS.map((call, at) => [at, call] as const))(
  'temporal §6: setup-postgres ends in error at the step that fails: %i %s',
  async ([at, call]) => {
    const stubs = await stubProgram('temporal-sql-tool', `[ "$*" != '${call}' ] || exit 1`);
    expect(stubs.run('setup-postgres.sh', SQL).status).toBe(1);
    expect(await stubs.calls()).toEqual(SCHEMA_CALLS.slice(0, at + 1));
  },
);

test.for([
  ['setup-postgres.sh', 'temporal-sql-tool', { SQL_PASSWORD: 'x' }, 'SQL_HOST'],
  ['setup-postgres.sh', 'temporal-sql-tool', { SQL_HOST: 'x' }, 'SQL_PASSWORD'],
  ['init-namespace.sh', 'temporal', {}, 'TEMPORAL_ADDRESS'],
  ['../ledger/setup-ledger.sh', 'psql', { PGPASSWORD: 'x', LEDGER_PASSWORD: 'x' }, 'PGHOST'],
  ['../ledger/setup-ledger.sh', 'psql', { PGHOST: 'x', LEDGER_PASSWORD: 'x' }, 'PGPASSWORD'],
  ['../ledger/setup-ledger.sh', 'psql', { PGHOST: 'x', PGPASSWORD: 'x' }, 'LEDGER_PASSWORD'],
] as const)(
  'temporal §6: %s calls nothing while a variable is missing, and names it',
  async ([script, tool, env, missing]) => {
    const stubs = await stubProgram(tool);
    const { status, output } = stubs.run(script, env);
    expect(status).not.toBe(0);
    expect(output).toContain(missing);
    expect(await stubs.calls()).toEqual([]);
  },
);

test('temporal §6: setup-ledger shows its passwords to nobody, and ends in error when the client does', async () => {
  const env = { PGHOST: 'postgresql', PGPASSWORD: "of the 'administrator'", LEDGER_PASSWORD: "of the 'ledger'" };
  const stubs = await stubProgram('psql', 'cat');
  const { status, output } = stubs.run('../ledger/setup-ledger.sh', env);
  expect(status).toBe(0);
  expect(output).toContain("alter role reachback password :'password';");
  const told = `${output}${(await stubs.calls()).join('\n')}`;
  for (const secret of [env.PGPASSWORD, env.LEDGER_PASSWORD]) expect(told).not.toContain(secret);
  expect(await stubs.calls()).toEqual([expect.stringContaining('ON_ERROR_STOP=1')]);
  const refused = await stubProgram('psql', 'cat >/dev/null; exit 3');
  expect(refused.run('../ledger/setup-ledger.sh', env).status).toBe(3);
});

test('temporal §6: init-namespace waits for the server, and gives up with its last words', async () => {
  const stubs = await stubProgram('temporal', 'echo "connection refused" >&2; exit 1');
  const { status, output } = stubs.run('init-namespace.sh', { TEMPORAL_ADDRESS: 'x:1', TRIES: '3', WAIT_S: '0' });
  expect(status).toBe(1);
  expect(output).toContain('failed: temporal operator cluster health\nconnection refused');
  expect(await stubs.calls()).toEqual(Array.from({ length: 3 }, () => 'operator cluster health'));
});
