import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { PipelineError } from '../core/errors.ts';
import { CdfReader, diffCdf, FormatError, validateCdf } from '../formats/cdf/index.ts';
import { cdfDumpText, describeCdf } from './support/cdf-dump.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { formatBytes, formatTable } from './support/format.ts';

interface DiffFlags {
  readonly absolute?: number;
  readonly relative?: number;
  readonly ignoreAttribute: string[];
  readonly json?: boolean;
}

/** `reachback cdf dump|validate|diff`: CDF files for people, whoever wrote them. */
export function addCdfCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const cdf = program
    .command('cdf')
    .summary('look at, check and compare CDF files of any writer')
    .description('Look at, check and compare CDF files of any writer.');
  cdf
    .command('dump')
    .description('What a file holds: header, attributes, variables and the first values of each.')
    .argument('<file>', 'a CDF file')
    .option('--values <n>', 'values shown of each variable', count, 6)
    .option('--json', 'print as JSON, with all attributes')
    .action(async (file: string, given: { values: number; json?: boolean }) => {
      await reading(async () => {
        const reader = await CdfReader.open(file);
        try {
          const description = await describeCdf(reader, given.values);
          context.print(given.json === true ? JSON.stringify(description) : cdfDumpText(file, description));
        } finally {
          await reader.close();
        }
      });
      end(EXIT.ok);
    });
  cdf
    .command('validate')
    .description('Structure, checksum, every compressed block and the ISTP rules. Exit code 1 when there are errors.')
    .argument('<files...>', 'CDF files')
    .option('--no-istp', 'the format alone')
    .option('--json', 'print as JSON')
    .action(async (files: string[], given: { istp: boolean; json?: boolean }) => {
      let valid = true;
      for (const file of files) {
        const report = await reading(() => validateCdf(file, { istp: given.istp }));
        valid &&= report.isValid;
        if (given.json === true) {
          context.print(JSON.stringify(report));
          continue;
        }
        for (const { severity, rule, where, message } of report.findings) {
          context.print(`${file}: ${severity}: ${where}: ${message} (${rule})`);
        }
        const errors = report.findings.filter(({ severity }) => severity === 'error').length;
        const warnings = report.findings.length - errors;
        const facts = `${report.variables} variables, ${formatBytes(report.sizeBytes)}, checksum ${report.checksum}`;
        context.print(
          `${file}: ${report.isValid ? 'valid' : 'NOT valid'}: ${errors} errors, ${warnings} warnings (${facts})`,
        );
      }
      end(valid ? EXIT.ok : EXIT.failed);
    });
  cdf
    .command('diff')
    .description('Two files compared by what they mean, not by how they are stored. Exit code 1 when they differ.')
    .argument('<a>', 'a CDF file')
    .argument('<b>', 'another')
    .option('--absolute <d>', 'floating-point values may differ by this much', tolerance)
    .option('--relative <d>', 'and by this share of the larger one', tolerance)
    .option('--ignore-attribute <name>', 'an attribute that is not compared; may be repeated', collect, [])
    .option('--json', 'print as JSON')
    .action(async (a: string, b: string, given: DiffFlags) => {
      const { absolute, relative, ignoreAttribute: ignoreAttributes } = given;
      const options = {
        ignoreAttributes,
        ...(absolute !== undefined && { absolute }),
        ...(relative !== undefined && { relative }),
      };
      const differences = await reading(() => diffCdf(a, b, options));
      if (given.json === true) context.print(JSON.stringify(differences));
      else if (differences.length === 0) context.print('No differences.');
      else {
        const rows = differences.map(({ kind, where, what, a: inA, b: inB }) => [
          kind,
          where,
          what,
          short(inA),
          short(inB),
        ]);
        context.print(formatTable(['kind', 'where', 'what', a, b], rows));
      }
      end(differences.length === 0 ? EXIT.ok : EXIT.failed);
    });
}

/** Errors about the files, in words; a damaged file is named by its path already where the format knows it. */
async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FormatError || (error instanceof Error && 'code' in error)) {
      throw new PipelineError('input_invalid', error.message, {
        hint: '"reachback cdf validate FILE" lists all that is wrong with a CDF file.',
        cause: error,
      });
    }
    throw error;
  }
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

function tolerance(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('expected a number of 0 or more.');
  return value;
}

function collect(name: string, names: string[]): string[] {
  return [...names, name];
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
