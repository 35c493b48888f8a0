/** The gate of the machine, through the real program: one state home, several workspaces, kills. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readGateReport } from '../../src/gate/index.ts';
import { createPlace, killAll, runArgs, waitUntil } from './harness.ts';
import type { Place } from './harness.ts';

/** With four requests at once a day takes longer than any command that looks at it. */
const SLOW = { rules: [{ fault: { kind: 'latency' as const, ms: 1_500 } }] };

/** The same command for another workspace of the same machine. */
function elsewhere(place: Place, args: readonly string[]): string[] {
  return args.map((word) => (word === place.workspace ? join(place.dir, 'other') : word));
}

const twoAtOnce = (place: Place): string[] =>
  runArgs(place, '2025-09-01', '2025-09-01', '--max-concurrent-requests', '2');

describe('one gate per source and account on a machine (design §3)', () => {
  test('SAFE-3: a second downloading run is refused, naming the holder; one with nothing to download is not', async () => {
    const place = await createPlace();
    const done = elsewhere(place, runArgs(place, '2025-09-01', '2025-09-01'));
    expect((await place.run(done)).code).toBe(0);
    place.simulator.setFaults(SLOW);
    const holder = place.start(runArgs(place, '2025-09-01', '2025-09-02', '--max-concurrent-requests', '4'));
    const { requests } = place.simulator.stats();
    await waitUntil('requests', () => place.simulator.stats().requests > requests + 4);

    const [idle, refused] = await Promise.all([
      place.run(done),
      place.run(runArgs({ ...place, workspace: join(place.dir, 'third') }, '2025-09-03', '2025-09-03')),
    ]);
    expect(idle.code).toBe(0);
    expect(refused.stderr).toContain(`process ${holder.pid} `);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('reachback run --start-date 2025-09-01');
    expect(refused.stderr).toContain(`workspace ${place.workspace}`);
    holder.child.kill('SIGINT');
    expect((await holder.ended).code).toBe(130);
    const asked = place.simulator.requests().map(({ target }) => target);
    expect(asked.filter((target) => target.includes('=2025-09-03T'))).toEqual([]);
  });

  test('SAFE-4: refused credentials stay refused for other commands; repeating one resumes with one probe', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ fault: { kind: 'status', status: 403 } }] });
    const args = runArgs(place, '2025-09-01', '2025-09-01');
    expect((await place.run(args)).code).toBe(3);
    const { requests } = place.simulator.stats();
    const other = elsewhere(place, runArgs(place, '2025-10-01', '2025-10-01'));
    const refused = await place.run(other);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('403');
    expect(place.simulator.stats().requests).toBe(requests);

    const probed = await place.run(args);
    expect(probed.code).toBe(3);
    expect(place.simulator.stats().requests).toBe(requests + 1);
    place.simulator.setFaults({ rules: [] });
    expect((await place.run(args)).code).toBe(0);
    // The incident is closed for everyone.
    const resumed = await place.run(other);
    expect(resumed.code).toBe(0);
  });

  test('SAFE-2, SAFE-10: killed inside a pause, the next run asks no earlier than the source said', async () => {
    const place = await createPlace();
    place.simulator.setFaults({
      rules: [{ match: { nth: 20 }, fault: { kind: 'storm', seconds: 20, form: 'seconds' } }],
    });
    const args = twoAtOnce(place);
    const running = place.start(args);
    await waitUntil('the 429', () => (place.simulator.stats().byStatus['429'] ?? 0) > 0);
    // Not before the program has heard of it.
    const pointer = join(place.workspace, 'state/gate.json');
    await waitUntil('the pause noted', async () => (await readGateReport(pointer))?.cooldown != null);
    await waitUntil('nothing under way', () => place.simulator.stats().inFlight === 0);
    await killAll(running.pid);
    await running.ended;
    const { requests } = place.simulator.stats();
    expect((await place.run(args)).code).toBe(0);
    const log = place.simulator.requests();
    const told = log.find(({ status }) => status === 429)!;
    expect(log[requests]!.atMs - told.atMs).toBeGreaterThanOrEqual(20_000);
    expect(place.simulator.stats()).toMatchObject({ begunInCooldown: 0, slicesAnswered: 288 });
  });

  test('SAFE-2: in a long pause status says until when and why', async () => {
    const place = await createPlace();
    // Longer than any command takes that looks at it.
    place.simulator.setFaults({
      rules: [{ match: { nth: 20 }, fault: { kind: 'storm', seconds: 99, form: 'seconds' } }],
    });
    const running = place.start(twoAtOnce(place), { REACHBACK_WAIT_INSIDE_MS: '2000' });
    await waitUntil('Cooldown', () => running.output().includes('Cooldown'));
    const at = ['--workspace', place.workspace];
    const [status, json] = await Promise.all([place.run(['status', ...at]), place.run(['status', ...at, '--json'])]);
    expect(status.stdout).toMatch(/Cooldown \(until \S+Z: the source answered 429 with Retry-After 9\d s\)/);
    expect(JSON.parse(json.stdout)).toMatchObject({
      gate: { cooldown: { why: expect.stringContaining('429') as string }, holder: { pid: running.pid } },
      ranges: [{ progress: { state: 'Cooldown', cooldown: { why: expect.stringContaining('429') as string } } }],
    });
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
  });

  test('SAFE-2: a long pause gives the place back; run says until when and why; then it goes on', async () => {
    const place = await createPlace();
    // What comes behind the pause is slow until it has been seen: the display looks twice a second.
    const later = Array.from({ length: 200 }, (_, index) => 88 + index);
    place.simulator.setFaults({
      rules: [
        { match: { nth: 20 }, fault: { kind: 'storm', seconds: 15, form: 'seconds' } },
        { match: { slice: later }, fault: { kind: 'latency', ms: 500 } },
      ],
    });
    const running = place.start(twoAtOnce(place), { REACHBACK_WAIT_INSIDE_MS: '2000' });
    await waitUntil('Cooldown', () => running.output().includes('Cooldown'));
    await waitUntil('Running', () => /Cooldown[^]*Running/.test(running.output()));
    place.simulator.setFaults({ rules: [] });
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(
      /politeness: \d+ requests, [12] × 429, held back for \S+ (s|min).*, at most \d+ in one second/,
    );
    const after = await place.run(['status', '--workspace', place.workspace]);
    expect(after.stdout).toContain(/politeness: .*/.exec(ended.stdout)![0]);
    expect(after.stdout).toMatch(/Gate of http:\S+ [\d.]+ requests\/s allowed, not in use/);
    expect(ended.stderr).toMatch(/Cooldown[^]*waiting until \S+Z: the source answered 429[^]*Running/);
    expect(place.simulator.stats()).toMatchObject({ begunInCooldown: 0, slicesAnswered: 288 });
  });
});
