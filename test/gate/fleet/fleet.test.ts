/** The gate that hosts share, over a real database. */
import { mkdtempSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { GivenRateConfig } from '../../../src/core/rate/config.ts';
import { PERMIT_LIFE_MS } from '../../../src/gate/fleet/fleet-gate.ts';
import { createGate, createMachineStore, openToHosts, readGateReport } from '../../../src/gate/index.ts';
import type { Gate, GateReport, MachineStoreOptions, Permit } from '../../../src/gate/index.ts';
import { startPostgres } from '../../ledger/postgres-server.ts';
import type { PostgresServer } from '../../ledger/postgres-server.ts';
import { describeGate } from '../contract.ts';

const SUCCESS = { kind: 'success' } as const;
const OPEN: GivenRateConfig = { initialRate: 500, maxRate: 500 };

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

let sources = 0;

interface Fleet {
  readonly origin: string;
  readonly url: Secret;
  /** A worker on a host of that name. @param port - of another way to the database */
  start(host?: string, config?: GivenRateConfig, port?: number): Gate;
  machineOf(host: string): MachineStoreOptions;
  report(host?: string): Promise<GateReport | null>;
}

/** A source of its own, so that tests do not meet, in another schema of the one database. */
async function createFleet(): Promise<Fleet> {
  const url = await server.newSchema();
  const place = { url, shown: 'postgres://keeper@test' };
  const folder = mkdtempSync(join(tmpdir(), 'reachback-fleet-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const origin = `https://source-${(sources += 1)}.example`;
  const pointerOf = (host: string): string => join(folder, `${host}-gate.json`);
  const machineOf = (host: string): MachineStoreOptions => ({
    stateHome: join(folder, host),
    origin,
    credential: new Secret('Basic c29tZW9uZTp2ZXJ5LXNlY3JldA=='),
    command: `reachback worker on ${host}`,
    workspace: `/srv/${host}`,
    initialRate: 5,
    pointer: pointerOf(host),
    onNotice: () => undefined,
  });
  return {
    origin,
    url,
    machineOf,
    start(host = 'first', config = OPEN, port = server.port) {
      const way = new URL(url.reveal());
      way.port = String(port);
      const gate = openToHosts({ ...place, url: new Secret(way.href) }, machineOf(host), config);
      onTestFinished(() => gate.close());
      return gate;
    },
    report: (host = 'first') => readGateReport(pointerOf(host), place),
  };
}

describeGate('a database', async () => {
  const fleet = await createFleet();
  return { start: (config) => fleet.start('first', config), report: () => fleet.report() };
});

/** A way to the database whose answers can be held back. */
async function slowWay(port: number): Promise<{ port: number; hold(): void; go(): void }> {
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const database = connect(port, '127.0.0.1');
    client.pipe(database).pipe(client);
    for (const socket of [client, database]) socket.on('error', () => undefined);
    sockets.push(database, client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const databases = (): Socket[] => sockets.filter((_, index) => index % 2 === 0);
  return {
    port: (proxy.address() as AddressInfo).port,
    hold() {
      for (const socket of databases()) socket.unpipe().pause();
    },
    go() {
      for (const [index, socket] of sockets.entries()) if (index % 2 === 0) socket.pipe(sockets[index + 1]!);
    },
  };
}

/** Asks `count` times, one after the other. @returns when each permit came, by the clock of this process */
async function ask(gate: Gate, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const permit = await gate.acquire();
    times.push(performance.now());
    permit.release(SUCCESS);
  }
  return times;
}

describe('issue 6: several hosts, one gate', () => {
  test('together they stay within one rate, and each gets its turns', async () => {
    const fleet = await createFleet();
    const config = { initialRate: 20, maxRate: 20 };
    const gates = ['first', 'second', 'third'].map((host) => fleet.start(host, config));
    await Promise.all(gates.map((gate) => gate.open()));
    const each = await Promise.all(gates.map((gate) => Promise.all([ask(gate, 6), ask(gate, 6)])));
    const times = each.flat(2).toSorted((a, b) => a - b);
    expect(times).toHaveLength(36);
    // 36 permits have 35 spaces of 50 ms between them; the first and the last may be up to a permit's life late.
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(35 * 50 - 300);
    for (const gate of gates) await gate.keep();
    const { total } = (await fleet.report())!.receipts;
    expect(total.requests).toBe(36);
    expect(total.worstSecond).toBeLessThanOrEqual(21);
    // Of all together: no host has more than twelve.
    expect(total.worstSecond).toBeGreaterThan(12);
  });

  test('together they have no more requests under way than one may, and the strictest flags of all count', async () => {
    const fleet = await createFleet();
    const wide = fleet.start('wide', { ...OPEN, maxConcurrentRequests: 16 });
    const narrow = fleet.start('narrow', { ...OPEN, maxConcurrentRequests: 3 });
    await Promise.all([wide.open(), narrow.open()]);
    const held: Permit[] = [await narrow.acquire(), await wide.acquire(), await wide.acquire()];
    let isGiven = false;
    const waiting = wide.acquire().then((permit) => {
      isGiven = true;
      return permit;
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(isGiven).toBe(false);
    held[0]!.release(SUCCESS);
    (await waiting).release(SUCCESS);
    for (const permit of held) permit.release(SUCCESS);
  });

  test('SAFE-2: a 429 read by one stops all, and its pause ends for all', async () => {
    const fleet = await createFleet();
    const [one, other] = [fleet.start('first'), fleet.start('second')];
    await Promise.all([one.open(), other.open()]);
    (await other.acquire()).release(SUCCESS);
    const permit = await one.acquire();
    const saidAt = performance.now();
    permit.release({ kind: 'rate_limited', headers: { retryAfter: '2', date: null } });
    // Settles when the state is written: whatever is asked for from here on waits.
    await one.closeIncident('none');
    const [there, here] = await Promise.all([ask(other, 1), ask(one, 1)]);
    expect(Math.min(...there, ...here) - saidAt).toBeGreaterThan(1_900);
  });

  test('SAFE-2: a permit given before the pause was written, whose answer comes later than permits live, is not used', async () => {
    const fleet = await createFleet();
    const far = await slowWay(server.port);
    const late = fleet.start('late', OPEN, far.port);
    const other = fleet.start('other');
    const held = await other.acquire();
    await late.open();
    const total = async (): Promise<number> => {
      const rows = await server.query(null, `select recent from reachback_gate.gates where origin = '${fleet.origin}'`);
      return (rows as { recent: number[] }[])[0]!.recent.length;
    };
    const before = await total();
    far.hold();
    const asked = ask(late, 1);
    await expect.poll(total).toBeGreaterThan(before);
    const saidAt = performance.now();
    held.release({ kind: 'rate_limited', headers: { retryAfter: '2', date: null } });
    await other.closeIncident('none');
    await new Promise((resolve) => setTimeout(resolve, PERMIT_LIFE_MS));
    far.go();
    const [startedAt = 0] = await asked;
    expect(startedAt - saidAt).toBeGreaterThan(1_900);
  });

  test('SAFE-4: an incident of one shuts all, one resume opens all, and one request of all probes', async () => {
    const fleet = await createFleet();
    const [one, other] = [fleet.start('first'), fleet.start('second')];
    await Promise.all([one.open(), other.open()]);
    (await one.acquire()).release({ kind: 'auth_rejected', status: 403 });
    await one.closeIncident('none');
    const error: unknown = await other.acquire().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'auth_rejected' });
    const { incident } = (error as { context: { incident: string } }).context;
    const closed = await Promise.all([one.closeIncident(incident), other.closeIncident(incident)]);
    expect(closed.filter(Boolean)).toHaveLength(1);
    const probe = await one.acquire();
    let isGiven = false;
    const waiting = other.acquire().then((permit) => {
      isGiven = true;
      return permit;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isGiven).toBe(false);
    probe.release(SUCCESS);
    (await waiting).release(SUCCESS);
  });

  test('UDL-18: what they learn at once all counts: nobody overwrites what another has put down', async () => {
    const fleet = await createFleet();
    const config = { initialRate: 100, maxRate: 1_000, maxConcurrentRequests: 64 };
    const gates = ['first', 'second', 'third'].map((host) => fleet.start(host, config));
    await Promise.all(gates.map((gate) => gate.open()));
    await Promise.all(gates.flatMap((gate) => [ask(gate, 10), ask(gate, 10)]));
    await Promise.all(gates.map((gate) => gate.close()));
    expect((await fleet.report())!.rate).toBe(160);
  });

  test('a gate of this machine alone is kept out meanwhile, and takes over the pause that they were told', async () => {
    const fleet = await createFleet();
    const alone = (): Gate => {
      const gate = createGate({ config: OPEN, store: createMachineStore(fleet.machineOf('first')) });
      onTestFinished(() => gate.close());
      return gate;
    };
    const [one, beside] = [fleet.start('first'), fleet.start('first')];
    await Promise.all([one.open(), beside.open()]);
    await expect(alone().open()).rejects.toMatchObject({ kind: 'gate_held' });
    (await one.acquire()).release({ kind: 'rate_limited', headers: { retryAfter: '900', date: null } });
    await one.close();
    await expect(alone().open()).rejects.toMatchObject({ kind: 'gate_held' });
    await beside.close();
    const next = alone();
    await expect(next.acquire()).rejects.toMatchObject({ kind: 'rate_limited' });
    await expect(fleet.start('first').open()).rejects.toMatchObject({ kind: 'gate_held' });
    await next.close();
  });

  test('a pause that a machine was told alone holds for all when its worker joins', async () => {
    const fleet = await createFleet();
    const alone = createGate({ config: OPEN, store: createMachineStore(fleet.machineOf('second')) });
    (await alone.acquire()).release({ kind: 'rate_limited', headers: { retryAfter: '900', date: null } });
    await alone.close();
    const one = fleet.start('first');
    (await one.acquire()).release(SUCCESS);
    await fleet.start('second').open();
    await expect(one.acquire()).rejects.toMatchObject({
      kind: 'rate_limited',
      message: expect.stringContaining('900 s'),
    });
  });

  test('kill -9 of a worker frees its requests for the others within ten seconds', async () => {
    const fleet = await createFleet();
    const mine = fleet.start('first', { ...OPEN, maxConcurrentRequests: 3 });
    (await mine.acquire()).release(SUCCESS);
    const child = spawn(process.execPath, [join(import.meta.dirname, 'hold-permits.ts'), '3'], {
      env: {
        PATH: process.env['PATH'],
        DATABASE: fleet.url.reveal(),
        MACHINE: JSON.stringify(fleet.machineOf('doomed')),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    let isGiven = false;
    const waiting = mine.acquire().then((permit) => {
      isGiven = true;
      return permit;
    });
    // As long as it lives, its requests are under way.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(isGiven).toBe(false);
    const users = async () => new Set((await fleet.report())!.holders.map(({ workspace }) => workspace));
    expect(await users()).toEqual(new Set(['/srv/doomed', '/srv/first']));
    const killedAt = performance.now();
    child.kill('SIGKILL');
    (await waiting).release(SUCCESS);
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    expect(await users()).toEqual(new Set(['/srv/first']));
  });

  test('a database that is away: no permit, in clear words; what was said meanwhile is kept, and all goes on when it is back', async () => {
    const fleet = await createFleet();
    const gate = fleet.start();
    const held = await gate.acquire();
    await server.stop();
    try {
      const error: unknown = await gate.acquire().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        kind: 'ledger_unavailable',
        retry: 'later',
        message: expect.stringMatching(
          /^No request is sent, as hosts share the gate: The ledger postgres:\/\/keeper@test/,
        ),
        hint: expect.stringContaining('go on by themselves'),
      });
      held.release({ kind: 'rate_limited', headers: { retryAfter: '900', date: null } });
      await expect(gate.acquire()).rejects.toMatchObject({ kind: 'ledger_unavailable' });
      await expect(fleet.report()).rejects.toMatchObject({ kind: 'ledger_unavailable' });
    } finally {
      await server.start();
    }
    await vi.waitUntil(async () => (await fleet.report())?.cooldown, { timeout: 60_000, interval: 100 });
    await expect(gate.acquire()).rejects.toMatchObject({ kind: 'rate_limited' });
  });

  test('receipts of old runs are removed, as those of a machine alone are; the sums over all runs stay', async () => {
    const fleet = await createFleet();
    const gate = fleet.start();
    const runs = Array.from({ length: 60 }, (_none, index) => `run-${index}`);
    for (const runId of runs) await ask(gate.forRun({ runId, workspace: 'first' }), 1);
    await gate.keep();
    const database = new Client({ connectionString: fleet.url.reveal() });
    await database.connect();
    onTestFinished(() => database.end());
    const kept = async () => {
      const found = await database.query<{ run_id: string }>(
        `select run_id from reachback_gate.receipts join reachback_gate.gates on gates.id = gate where origin = $1 and run_id <> ''`,
        [fleet.origin],
      );
      return new Set(found.rows.map((row) => row.run_id));
    };
    expect(await kept()).toEqual(new Set(runs.slice(10)));
    await ask(gate.forRun({ runId: 'next', workspace: 'first' }), 1);
    await gate.keep();
    expect(await kept()).toEqual(new Set([...runs.slice(11), 'next']));
    const report = await fleet.report();
    expect(report?.receipts.total.requests).toBe(61);
  });

  test('neither the database nor the machine has the credential, and another credential is another gate', async () => {
    const fleet = await createFleet();
    (await fleet.start().acquire()).release(SUCCESS);
    const dump = JSON.stringify(
      await server.query(
        null,
        `select gates::text || coalesce((select string_agg(receipts::text, '') from reachback_gate.receipts), '') from reachback_gate.gates`,
      ),
    );
    expect(dump).toContain(fleet.origin);
    for (const secret of ['Basic', 'c29tZW9uZTp2ZXJ5LXNlY3JldA', 'very-secret']) expect(dump).not.toContain(secret);
    const other = { ...fleet.machineOf('second'), credential: new Secret('Basic other') };
    const gate = openToHosts({ url: fleet.url, shown: 'postgres://keeper@test' }, other, OPEN);
    onTestFinished(() => gate.close());
    await gate.open();
    const found = await server.query(null, `select id from reachback_gate.gates where origin = '${fleet.origin}'`);
    expect(found).toHaveLength(2);
  });

  test('workers that come first at once make the tables once', async () => {
    await server.query(null, 'drop schema if exists reachback_gate cascade');
    const fleet = await createFleet();
    const gates = ['first', 'second', 'third', 'fourth'].map((host) => fleet.start(host));
    await Promise.all(gates.map((gate) => gate.open()));
    await Promise.all(gates.map((gate) => ask(gate, 2)));
    expect((await fleet.report())!.holders).toHaveLength(4);
  });

  test('a clock of the database that was set back by an hour holds nobody up, nor keeps the dead', async () => {
    const fleet = await createFleet();
    const gate = fleet.start();
    (await gate.acquire()).release(SUCCESS);
    await gate.close();
    const later = `(extract(epoch from now()) + 3600) * 1000`;
    const dead = `jsonb_build_object('gone', jsonb_build_object('inFlight', 4, 'seenMs', ${later}))`;
    await server.query(
      null,
      `update reachback_gate.gates set last_slot_ms = ${later}, workers = ${dead} where origin = '${fleet.origin}'`,
    );
    const startedAt = performance.now();
    await ask(fleet.start(), 2);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test('a user who may not read the gate is told of none', async () => {
    const fleet = await createFleet();
    const gate = fleet.start();
    await gate.open();
    await server.query(null, `create role looker login password 'x'`);
    const url = new URL(fleet.url.reveal());
    url.username = 'looker';
    url.password = 'x';
    const place = { url: new Secret(url.href), shown: 'postgres://looker@test' };
    expect(await readGateReport(fleet.machineOf('first').pointer, place)).toBeNull();
  });

  test('tables of a newer version are refused and left alone', async () => {
    const fleet = await createFleet();
    await fleet.start().open();
    await server.query(null, 'update reachback_gate.about set version = 2');
    onTestFinished(() => server.query(null, 'update reachback_gate.about set version = 1').then(() => undefined));
    await expect(fleet.start('second').open()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('version 2'),
    });
  });
});
