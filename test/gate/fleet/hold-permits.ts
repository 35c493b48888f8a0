/** A worker in a process of its own that takes permits and never gives them back: `hold-permits.ts <count>`. */
import { Secret } from '../../../src/core/secret.ts';
import { openToHosts } from '../../../src/gate/index.ts';
import type { MachineStoreOptions } from '../../../src/gate/index.ts';

const { DATABASE = '', MACHINE = '' } = process.env;
const machine = JSON.parse(MACHINE) as MachineStoreOptions;
const gate = openToHosts(
  { url: new Secret(DATABASE), shown: 'postgres://keeper@test' },
  { ...machine, credential: new Secret('Basic c29tZW9uZTp2ZXJ5LXNlY3JldA=='), onNotice: () => undefined },
  { initialRate: 500, maxRate: 500 },
);
for (let count = Number(process.argv[2]); count > 0; count -= 1) await gate.acquire();
process.stdout.write('held\n');
