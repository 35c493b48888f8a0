import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/main.ts';
import { createContext } from '../../src/cli/support/context.ts';
import { RANGE_STATES } from '../../src/core/backfill/types.ts';
import { ERROR_KINDS } from '../../src/core/errors.ts';
import { CHECK_STATES } from '../../src/core/records/source-check.ts';
import { TELEMETRY_STATUSES } from '../../src/ledger/ledger.ts';

const text = readFileSync(fileURLToPath(new URL('../../docs/runbook.md', import.meta.url)), 'utf8');

/** First cells of the table below a heading, each with the rest of its row. */
function table(heading: string): Map<string, string[]> {
  const [, section = ''] = new RegExp(`## ${heading}\n([\\s\\S]*?)(?=\n## |$)`).exec(text) ?? [];
  const rows = [...section.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)];
  return new Map(rows.map(([, name = '', rest = '']) => [name, rest.split('|').map((cell) => cell.trim())]));
}

describe('docs/runbook.md is complete', () => {
  test('every state of a range has its meaning, what it waits for and a command', () => {
    const states = table('A range');
    expect([...states.keys()]).toEqual([...RANGE_STATES]);
    for (const cells of states.values()) expect(cells.filter((cell) => cell !== '')).toHaveLength(3);
  });

  test('every word about a day, and every outcome of the comparison with the source', () => {
    expect([...table('A day').keys()].toSorted()).toEqual([...TELEMETRY_STATUSES].toSorted());
    for (const state of CHECK_STATES) expect(text).toContain(`\`${state}\``);
  });

  test('every kind of error, and the two of the engine, with cause, effect and command', () => {
    const kinds = table('Errors by kind');
    expect([...kinds.keys()]).toEqual([...Object.keys(ERROR_KINDS), 'cancelled', 'unknown']);
    for (const cells of kinds.values()) expect(cells.filter((cell) => cell !== '')).toHaveLength(3);
  });

  test('every command that it names exists', () => {
    const program = new Command();
    for (const add of COMMANDS) add(program, createContext(), () => undefined);
    const known = new Map(program.commands.map((command) => [command.name(), command.commands.map((c) => c.name())]));
    const named = [...text.matchAll(/`reachback ([a-z-]+)(?: ([a-z]+)\b)?/g)];
    expect(named.length).toBeGreaterThan(20);
    for (const [, command = '', sub = ''] of named) {
      expect([...known.keys()]).toContain(command);
      const subs = known.get(command) ?? [];
      expect(subs.length === 0 || subs.includes(sub), `reachback ${command} ${sub}`).toBe(true);
    }
  });
});
