import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { parseProductSlug } from '../core/product.ts';
import { PipelineError } from '../core/errors.ts';
import { SOFTWARE } from '../core/version.ts';
import type { ArtifactRow, DayFacts } from '../ledger/ledger.ts';
import { buildL1c } from '../products/reach-l1c/index.ts';
import type { BuildResult } from '../products/reach-l1c/index.ts';
import { publishFile, temporaryName } from '../storage/atomic-file.ts';
import { backupFile } from '../storage/backup.ts';
import { crashPoint } from '../storage/crash-point.ts';
import { fileDigest } from '../storage/file-digest.ts';
import { manifestPath, writeManifest } from '../storage/manifest.ts';
import type { ProductManifest } from '../storage/manifest.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { secondsSince, stageAttempt } from './dependencies.ts';
import { asTold, withHeartbeat } from './heartbeat.ts';
import { presentInput } from './plan/present-input.ts';
import type { PresentInput } from './plan/present-input.ts';
import type { DayAttempt, StageResult } from './types.ts';

const FIRST_VERSION = '1.0.0';
/** Share of unusable rows above which a day fails (CDF-D10). */
const QUARANTINE_LIMIT = 0.01;

/** Builds the day's CDF from its artifact and puts it at its place below `products`. */
export async function buildCdf(deps: ActivityDependencies, attempt: DayAttempt): Promise<StageResult> {
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day, options } = attempt.input;
    const { sensor, format } = parseProductSlug(product);
    const stage = stageAttempt(attempt, 'build');
    await deps.ledger.openStage(stage);
    await deps.telemetry.flush();
    const facts = (await deps.ledger.dayFacts(product, day, day, null))[0];
    const input = await inputOf(deps, attempt, facts);
    const existing = await intactProduct(facts, input.sha256, options.profile);
    const row = existing ?? (await makeProduct());
    const seconds = secondsSince(startedAt);
    const { sizeBytes, path } = row;
    await deps.ledger.closeStage(stage, { status: 'PROCESSED', seconds, sizeBytes, path, inputPath: input.path });
    crashPoint('cdf-closed');
    await deps.telemetry.flush();
    deps.log.info({ day, path, sizeBytes, seconds }, 'day PROCESSED');
    return { seconds, productBytes: sizeBytes, productPath: path, productSha256: row.sha256, records: row.records };

    async function makeProduct(): Promise<ArtifactRow> {
      const version = versionOf(attempt, facts?.productFile ?? null, input.sha256);
      const generationDate = await deps.ledger.generationDate(
        input.sha256,
        options.profile,
        SOFTWARE.cdfLibrary,
        deps.today(),
      );
      await mkdir(deps.workspace.products, { recursive: true });
      const temporary = temporaryName(join(deps.workspace.products, `${day}.cdf`));
      try {
        const built = await buildL1c(
          {
            inputPath: input.path,
            format,
            knownInput: { sizeBytes: input.sizeBytes, mtimeMs: input.mtimeMs, sha256: input.sha256 },
            outputPath: temporary,
            sensor,
            profile: options.profile,
            version,
            generationDate,
            quarantineLimit: QUARANTINE_LIMIT,
          },
          {
            signal,
            onProgress: ({ phase, bytesRead, bytesTotal }) => tell({ phase, done: bytesRead, total: bytesTotal }),
          },
        );
        if (built.inputSha256 !== input.sha256) throw inputChanged(input.path, input.sha256, built.inputSha256);
        logRemarks(deps, attempt, built);
        crashPoint('cdf-temporary');
        return await publishProduct(deps, attempt, facts, temporary, built, {
          version,
          generationDate,
          inputPath: input.path,
        });
      } finally {
        await rm(temporary, { force: true });
      }
    }
  }, asTold);
}

/** The file that planning meant: the ledger's artifact, or in `process` mode what lies in the folder. */
async function inputOf(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  facts: DayFacts | undefined,
): Promise<PresentInput> {
  const { ledger, workspace: folders } = deps;
  const found = facts && (await presentInput({ ledger, folders }, input.options.mode, input.product, facts));
  if (found) return found;
  throw new PipelineError('input_invalid', `No input file for ${input.day} in ${folders.downloads}.`, {
    hint: `Put the day's ${parseProductSlug(input.product).format} file there, or run "reachback download" for the day first.`,
  });
}

async function intactProduct(
  facts: DayFacts | undefined,
  inputSha256: string,
  profile: string,
): Promise<ArtifactRow | null> {
  const row = facts?.productFile;
  if (!row || row.inputSha256 !== inputSha256 || row.profile !== profile) return null;
  const found = await stat(row.path).catch(() => null);
  return found?.size === row.sizeBytes && found.mtimeMs === row.mtimeMs ? row : null;
}

/** Gives the finished file its name; what stood there, or what the day was called before, goes to the backups first. */
async function publishProduct(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  facts: DayFacts | undefined,
  temporary: string,
  built: BuildResult,
  { version, generationDate, inputPath }: { version: string; generationDate: string; inputPath: string },
): Promise<ArtifactRow> {
  const { product, day, options } = input;
  const path = join(deps.workspace.products, built.key);
  const owner = await deps.ledger.artifactOwner(path);
  if (owner && owner.product !== product) throw ownedByOther(path, owner.product, product);
  if (owner && owner.day !== day) throw otherDays(path, owner.day, day, inputPath);
  await mkdir(dirname(path), { recursive: true });
  const former = formerBelow(deps.workspace.products, facts);
  for (const old of new Set([path, ...(former === undefined ? [] : [former])])) {
    const found = await fileDigest(old).catch(() => null);
    if (found && (old !== path || found.sha256 !== built.sha256)) {
      const backup = await backupFile(old, deps.workspace.backups);
      deps.log.warn({ day, path: old, backup }, 'former product kept in the backups');
    }
  }
  await publishFile(temporary, path);
  crashPoint('cdf-renamed');
  const manifest: ProductManifest = {
    manifestVersion: 1,
    kind: 'product',
    product,
    day,
    file: built.fileName,
    sizeBytes: built.sizeBytes,
    sha256: built.sha256,
    writer: SOFTWARE.reach,
    profile: options.profile,
    version,
    inputFile: inputPath,
    inputSha256: built.inputSha256,
    descriptor: built.descriptor,
    generationDate,
    records: built.records,
    times: built.times,
    sensors: built.sensors,
    duplicates: built.duplicates,
    quarantined: built.quarantined,
  };
  await writeManifest(path, manifest);
  crashPoint('cdf-manifest');
  if (former !== undefined && former !== path) {
    // The day has another first record (CDF-D2) or version and so another name; its copy is among the backups. Before the row: a kill
    // after the row would leave the old name for ever.
    await Promise.all([rm(former, { force: true }), rm(manifestPath(former), { force: true })]);
  }
  const row: ArtifactRow = {
    kind: 'product',
    product,
    day,
    path,
    sizeBytes: built.sizeBytes,
    sha256: built.sha256,
    mtimeMs: (await stat(path)).mtimeMs,
    records: built.records,
    inputSha256: built.inputSha256,
    profile: options.profile,
    version,
    createdAt: new Date().toISOString(),
  };
  await deps.ledger.putArtifact(row);
  crashPoint('cdf-recorded');
  return row;
}

/**
 * The version in the product's name. Of a day whose data have changed it is the next patch version, so that both can be
 * told apart at a destination; any other rebuild keeps its name. `process` builds what lies in the folder, always under the same.
 */
function versionOf({ input }: DayAttempt, former: ArtifactRow | null, inputSha256: string): string {
  const version = former?.version ?? FIRST_VERSION;
  if (input.options.mode === 'process' || former === null || former.inputSha256 === inputSha256) return version;
  const [major, minor, patch] = version.split('.').map(Number);
  return `${major}.${minor}.${(patch ?? 0) + 1}`;
}

/** The day's former product, when it is in this products folder: another one's files are not ours to move. */
function formerBelow(products: string, facts: DayFacts | undefined): string | undefined {
  const path = facts?.productFile?.path;
  return path?.startsWith(products + sep) === true ? path : undefined;
}

function logRemarks(deps: ActivityDependencies, { input }: DayAttempt, built: BuildResult): void {
  const { descriptor } = parseProductSlug(input.product);
  if (built.descriptor !== descriptor) {
    const message = `the data say ${built.descriptor}, the command ${descriptor}; the product carries what the data say`;
    deps.log.warn({ day: input.day, data: built.descriptor, asked: descriptor }, message);
  }
  for (const { code, count, message } of built.warnings) {
    // Missing values inside the data are the source's everyday life; the rest an operator should see.
    deps.log[code === 'missing_marker' ? 'info' : 'warn']({ day: input.day, code, count }, message);
  }
  for (const reason of built.quarantineReasons) deps.log.warn({ day: input.day, ...reason }, 'rows quarantined');
}

function ownedByOther(path: string, owner: string, product: string): PipelineError {
  return new PipelineError('path_owned', `${path} belongs to the product ${owner}; ${product} would overwrite it.`, {
    hint: 'The two products share file names: use another --workspace (or --output-dir) for one of them.',
  });
}

function otherDays(path: string, owner: string, day: string, inputPath: string): PipelineError {
  return new PipelineError('input_invalid', `${path} is the product of ${owner}; that of ${day} would overwrite it.`, {
    hint: `The first record of ${inputPath} is of another day than its name says: name the file after its day.`,
  });
}

function inputChanged(path: string, expected: string, found: string): PipelineError {
  return new PipelineError(
    'checksum_mismatch',
    `${path} is not the file that was downloaded: expected SHA-256 ${expected}, found ${found}.`,
    { hint: 'Run the same command with --retry-failed: the day is downloaded again.' },
  );
}
