/**
 * Bundles the workflow code ahead, after every installation and by `npm run build:workflows`. An installation never fails
 * because of it: a worker makes a missing bundle itself, and shows what is wrong with the code then.
 */
import { hasWorkflows, loadWorkflowBundle } from '../src/embedded/workflow-bundle.ts';

const installing = process.env['npm_lifecycle_event'] === 'postinstall';
try {
  if (await hasWorkflows()) {
    const { fresh } = await loadWorkflowBundle();
    if (!installing) console.log(fresh ? 'Workflow bundle made.' : 'Workflow bundle is up to date.');
  }
} catch (error) {
  console.error(`The workflow code could not be bundled: ${error instanceof Error ? error.message : String(error)}`);
  if (!installing) process.exitCode = 1;
}
