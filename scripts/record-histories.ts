/** Records the histories that the replay test holds workflow code to: `npm run histories:record [-- scenario …]`, default all. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureTemporalBinary } from '../src/embedded/temporal-binary.ts';
import { SCENARIOS, playScenario } from '../test/replay/scenarios.ts';
import { startTestServer } from '../test/workflows/harness.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'test/histories/');

process.env['TEMPORAL_CLI_PATH'] = (await ensureTemporalBinary(process.env)).path;
const env = await startTestServer();
try {
  await mkdir(folder, { recursive: true });
  const asked = process.argv.slice(2);
  for (const name of asked.length > 0 ? asked : Object.keys(SCENARIOS)) {
    const former = (await readdir(folder)).filter((file) => file.startsWith(`${name}.`));
    for (const run of await playScenario(env, name)) {
      const file = `${run.name}.json`;
      // Stack traces carry the path of the checkout that recorded them.
      const json = JSON.stringify(JSON.parse(run.json)).replaceAll(root, '/reachback/');
      await writeFile(join(folder, file), `${json}\n`);
      console.log(`recorded ${file}: ${run.json.length} characters`);
      former.splice(0, former.length, ...former.filter((old) => old !== file));
    }
    for (const old of former) {
      await rm(join(folder, old));
      console.log(`removed ${old}`);
    }
  }
} finally {
  await env.teardown();
}
