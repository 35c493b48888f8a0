import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import type { ExitCode } from './support/exit-codes.ts';

const MAIN = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url));

/** `reachback simulator`: the bundled UDL stand-in, with its own flags (see simulator/README.md). */
export function addSimulatorCommand(program: Command, _context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('simulator')
    .summary('the bundled stand-in of the source')
    .description('Run the bundled UDL stand-in on 127.0.0.1; flags are its own: reachback simulator -- --help')
    .allowUnknownOption()
    .argument('[flags...]', 'passed on to the simulator')
    .action(async (_flags: string[], _options: unknown, command: Command) => {
      const child = spawn(process.execPath, [MAIN, ...command.args], { stdio: 'inherit' });
      const forward = (name: NodeJS.Signals): boolean => child.kill(name);
      process.on('SIGTERM', forward);
      process.on('SIGINT', () => undefined);
      const code = await new Promise<number>((resolve) => child.on('exit', (status) => resolve(status ?? 0)));
      end(code as ExitCode);
    });
}
