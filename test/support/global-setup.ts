/**
 * Before any test: the Temporal CLI, the Python environment of the independent readers, the workflow bundle. What cannot
 * be had fails the run here, by name; nothing is skipped.
 */
import { ensureTemporalBinary } from '../../src/embedded/temporal-binary.ts';
import { loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';
import { ensurePython } from './python.ts';

export default async function setup(): Promise<void> {
  const [binary] = await Promise.all([ensureTemporalBinary(process.env), ensurePython(), loadWorkflowBundle()]);
  process.env['TEMPORAL_CLI_PATH'] = binary.path;
}
