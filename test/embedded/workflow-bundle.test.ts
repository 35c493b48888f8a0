import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ensureTemporalBinary } from '../../src/embedded/temporal-binary.ts';
import { startTemporalServer } from '../../src/embedded/temporal-server.ts';
import { hasWorkflows, loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';
import type { BundlePlaces } from '../../src/embedded/workflow-bundle.ts';
import { temporaryFolder } from '../storage/temporary-folder.ts';

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** A small project with one workflow that takes its answer from `core`. */
async function project(): Promise<BundlePlaces> {
  const root = await temporaryFolder();
  await symlink(NODE_MODULES, join(root, 'node_modules'));
  for (const folder of ['workflows', 'core']) await mkdir(join(root, folder));
  await writeFile(join(root, 'core/answer.ts'), 'export const ANSWER: number = 41;\n');
  await writeFile(
    join(root, 'workflows/index.ts'),
    `import { ANSWER } from '../core/answer.ts';\nexport async function ask(): Promise<number> { return ANSWER + 1; }\n`,
  );
  await writeFile(join(root, 'package-lock.json'), '{}');
  return {
    workflowsPath: join(root, 'workflows/index.ts'),
    sources: [join(root, 'workflows'), join(root, 'core')],
    packageLock: join(root, 'package-lock.json'),
    bundlePath: join(root, 'build/workflow-bundle.js'),
  };
}

describe('the workflow bundle made ahead', () => {
  test('is made once and runs in a worker', async () => {
    const places = await project();
    expect((await loadWorkflowBundle(places)).fresh).toBe(true);
    const workflowBundle = await loadWorkflowBundle(places);
    expect(workflowBundle.fresh).toBe(false);

    const { path: binary } = await ensureTemporalBinary(process.env);
    const folder = await temporaryFolder();
    const server = await startTemporalServer({
      binary,
      databasePath: join(folder, 't.db'),
      logPath: join(folder, 'log'),
    });
    onTestFinished(() => server.stop());
    const { address } = server;
    const workerConnection = await NativeConnection.connect({ address });
    const connection = await Connection.connect({ address });
    const worker = await Worker.create({ connection: workerConnection, taskQueue: 'q', workflowBundle });
    const client = new Client({ connection });
    const answer = await worker.runUntil(client.workflow.execute('ask', { workflowId: 'w', taskQueue: 'q' }));
    expect(answer).toBe(42);
    await connection.close();
    await workerConnection.close();
  });

  test.for([
    ['the workflow code', 'workflows/index.ts', 'export async function ask(): Promise<number> { return 7; }\n'],
    ['the core it uses', 'core/answer.ts', 'export const ANSWER: number = 6;\n'],
    ['a package', 'package-lock.json', '{"lockfileVersion":3}'],
    ['the bundle itself', 'build/workflow-bundle.js', 'cut'],
  ] as const)('is made anew when %s changed', async ([, file, content]) => {
    const places = await project();
    await loadWorkflowBundle(places);
    await writeFile(join(places.bundlePath, '../..', file), content);
    expect((await loadWorkflowBundle(places)).fresh).toBe(true);
    expect((await loadWorkflowBundle(places)).fresh).toBe(false);
  });

  test('made by several at once is one whole file', async () => {
    const places = await project();
    const bundles = await Promise.all([1, 2, 3].map(() => loadWorkflowBundle(places)));
    const kept = await readFile(places.bundlePath, 'utf8');
    expect(bundles.map(({ code }) => code === kept)).toEqual([true, true, true]);
    expect(await readdir(join(places.bundlePath, '..'))).toEqual(['workflow-bundle.js']);
  });

  test('is still given when it cannot be kept', async () => {
    const places = await project();
    await writeFile(join(places.bundlePath, '../../build'), 'a file in the way');
    const { code, fresh } = await loadWorkflowBundle(places);
    expect(fresh).toBe(true);
    expect(code).toContain('ANSWER');
  });

  test('without workflow code there is nothing to bundle', async () => {
    const places = await project();
    expect(await hasWorkflows(places)).toBe(true);
    expect(await hasWorkflows({ ...places, workflowsPath: '/nowhere/index.ts' })).toBe(false);
  });
});
