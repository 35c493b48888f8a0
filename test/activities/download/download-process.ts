/** Downloads one day of one sensor until it is done or killed: `node download-process.ts <url> <downloads folder> [crash point]`. */
import { join } from 'node:path';
import { downloadDay } from '../../../src/activities/download/index.ts';
import { armCrashPoint, parseCrashPoint } from '../../../src/storage/crash-point.ts';
import { DAY, memoryLedger, openGate, testSource } from './set-up.ts';

const [url = '', downloads = '', point = ''] = process.argv.slice(2);
const folders = { downloads, slices: join(downloads, '.slices') };
const deps = { gate: openGate(), source: testSource(url), ledger: memoryLedger(), folders };
armCrashPoint(parseCrashPoint(point));
await downloadDay(deps, { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' });
