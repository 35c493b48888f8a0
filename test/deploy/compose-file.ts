/** The operator's files as the tests see them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly restart: string;
  readonly command?: string[];
  readonly entrypoint?: string[];
  readonly environment?: Record<string, string | null>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { test: string[] };
  readonly ports?: string[];
  readonly profiles?: string[];
  readonly network_mode?: string;
  readonly stop_grace_period?: string;
  readonly volumes?: string[];
  readonly deploy?: { replicas?: string };
}

export interface ComposeFile {
  readonly services: Record<string, Service>;
  readonly volumes: Record<string, unknown>;
}

export function readProjectFile(path: string): string {
  return readFileSync(join(PROJECT, path), 'utf8');
}

/** With anchors and merge keys resolved, variables as they are written. */
export function readComposeFile(): ComposeFile {
  return parse(readProjectFile('docker-compose.yml'), { merge: true }) as ComposeFile;
}
