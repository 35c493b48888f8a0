/** What the ground run prints: lines with the time since its start, and at the end each check with what was seen. */

export interface Report {
  say(text: string): void;
  /** @param seen - the facts, for people */
  check(promise: string, holds: boolean, seen: string): void;
  /** Prints the table. @returns whether all held */
  close(): boolean;
}

export function openReport(): Report {
  const startedAt = performance.now();
  const rows: { promise: string; holds: boolean; seen: string }[] = [];
  const say = (text: string): void =>
    console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${text}`);
  return {
    say,
    check(promise, holds, seen) {
      rows.push({ promise, holds, seen });
      say(`${holds ? 'ok' : 'FAILED'}: ${promise}: ${seen}`);
    },
    close() {
      console.log('\n| promise | | seen |\n|---|---|---|');
      for (const { promise, holds, seen } of rows) console.log(`| ${promise} | ${holds ? 'ok' : 'FAILED'} | ${seen} |`);
      const failed = rows.filter(({ holds }) => !holds).length;
      console.log(
        `\n${rows.length} promises, ${failed} not held, ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
      );
      return failed === 0;
    },
  };
}
