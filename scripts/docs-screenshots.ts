/**
 * Pictures for the docs, `npm run docs:screenshots`: a small run against the simulator, looked at in headless Chromium. Needs
 * `chromium` on PATH, or its path in CHROMIUM_PATH. Writes docs/images/*.png; nothing else stays.
 */
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { startSimulator } from '../simulator/simulator.ts';
import { startBrowser } from './support/browser.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PROGRAM = join(ROOT, 'bin/reachback');
const IMAGES = join(ROOT, 'docs/images');
const TOKEN = 'Basic c2NyZWVuOnNob3Q=';
/** Milliseconds that the page may take to fetch and draw. */
const DRAWING_MS = 6_000;
const SIZE = { width: 1400, height: 900 };
const FAILING_DAY = '2025-09-02';

function findChromium(): string {
  const { CHROMIUM_PATH: given, PATH: path = '' } = process.env;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const places = given ? [given] : path.split(':').flatMap((folder) => names.map((name) => join(folder, name)));
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      return place;
    } catch {
      // The next one.
    }
  }
  const looked = given ? `CHROMIUM_PATH is ${given}` : `none of ${names.join(', ')} is on PATH`;
  throw new Error(`No Chromium: ${looked}. Install it (Debian: apt-get install chromium) or set CHROMIUM_PATH.`);
}

async function until<T>(what: string, look: () => Promise<T | null> | T | null): Promise<T> {
  const end = Date.now() + 120_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const chromium = findChromium();
const folder = await mkdtemp(join(tmpdir(), 'reachback-pictures-'));
const simulator = await startSimulator({ tiny: true, token: TOKEN });
const environment = {
  ...process.env,
  XDG_STATE_HOME: join(folder, 'state'),
  UDL_BASE_URL: simulator.url,
  BASICAUTH: TOKEN,
  REACHBACK_PASS_WAIT_MS: '50',
};
// The names of the workspace appear in the pictures.
const workspace = join(folder, 'archive');
const options = { cwd: folder, env: environment };
const dev = spawn(PROGRAM, ['dev', '--workspace', workspace, '--json', '--max-rate', '400', '--initial-rate', '400'], {
  ...options,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => dev.once('exit', resolve));
try {
  let said = '';
  dev.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const {
    address,
    uiUrl,
    workspace: name,
  } = await until('dev', () =>
    said.includes('\n') ? (JSON.parse(said) as { address: string; uiUrl: string; workspace: string }) : null,
  );
  const reachback = (...args: string[]) => run(PROGRAM, [...args, '--workspace', workspace], options);
  const range = (first: string, last: string, ...more: string[]) =>
    reachback('run', '--start-date', first, '--end-date', last, '--upload-to', `file://${folder}/products`, ...more);
  await mkdir(IMAGES, { recursive: true });
  await reachback('schedule', 'create', '--trailing-days', '7');

  // One day of the first range fails and waits for an operator; the second range is under way while it is looked at.
  simulator.setFaults({ rules: [{ match: { day: FAILING_DAY, slice: 7 }, fault: { kind: 'html' } }] });
  await range('2025-09-01', '2025-09-04').catch(() => undefined);
  simulator.setFaults({ rules: [{ fault: { kind: 'latency', ms: 4_000 } }] });
  const second = range('2025-10-01', '2025-10-31').catch(() => undefined);
  await until('requests', () => (simulator.stats().requests > 4 * 290 + 40 ? true : null));

  const page = async (id: string, tab: string): Promise<string> => {
    const { runId } = await workflow.getHandle(id).describe();
    return `${uiUrl}/namespaces/default/workflows/${encodeURIComponent(id)}/${runId}/${tab}`;
  };
  const connection = await Connection.connect({ address });
  const { workflow } = new Client({ connection });
  const range1 = `backfill/${name}/reach-all/quicklook/2025-09-01..2025-09-04`;
  const range2 = `backfill/${name}/reach-all/quicklook/2025-10-01..2025-10-31`;
  const day1 = `day/${name}/reach-all/quicklook/2025-10-01`;
  const pages: Record<string, string> = {
    'web-ui-list': `${uiUrl}/namespaces/default/workflows`,
    'web-ui-range': await page(range1, 'user-metadata'),
    'web-ui-timeline': await page(range1, 'timeline'),
    'web-ui-day': await page(day1, 'pending-activities'),
    'web-ui-day-about': await page(day1, 'user-metadata'),
    'web-ui-schedule': `${uiUrl}/namespaces/default/schedules`,
  };
  const browser = await startBrowser(chromium, join(folder, 'profile'));
  const take = async (picture: string, url: string, size = SIZE): Promise<void> => {
    const png = await browser.picture(url, size, DRAWING_MS);
    await writeFile(join(IMAGES, `${picture}.png`), png);
    console.log(`${picture}.png: ${Math.round(png.length / 1024)} KiB`);
  };
  try {
    for (const [picture, url] of Object.entries(pages)) await take(picture, url);
    // The source asks for a quarter of an hour.
    simulator.setFaults({ rules: [{ fault: { kind: 'storm', seconds: 900, form: 'seconds' } }] });
    await until('a pause', async () => {
      const { state } = await workflow.getHandle(range2).query<{ state: string }>('progress');
      return state === 'Cooldown' ? true : null;
    });
    await take('web-ui-wait', await page(range2, 'user-metadata'));
    // Below that is a stack trace, with paths of the machine.
    await take('web-ui-day-wait', await page(day1, 'pending-activities'), { ...SIZE, height: 628 });
  } finally {
    await browser.close();
  }
  await connection.close();
  await reachback('cancel', range2);
  await second;
} finally {
  dev.kill('SIGTERM');
  await ended;
  await simulator.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
