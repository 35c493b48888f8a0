/**
 * Names under which runs are found on the server. They are public: renaming one is a migration.
 */
import type { ProductSlug } from '../product.ts';
import type { Day } from '../time/day.ts';

/** `backfill/<workspace>/<product>/<first>..<last>`: makes a range single-instance. */
export function rangeWorkflowId(workspace: string, product: ProductSlug, first: Day, last: Day): string {
  return `backfill/${workspace}/${product}/${first}..${last}`;
}

/** `day/<workspace>/<product>/<day>`: carries no range, so that no two ranges do one day at once. */
export function dayWorkflowId(workspace: string, product: ProductSlug, day: Day): string {
  return `day/${workspace}/${product}/${day}`;
}

/** `schedule/<workspace>/<name>`; the server adds the time to the ids of the runs that it starts. */
export function scheduleId(workspace: string, name: string): string {
  return `schedule/${workspace}/${name}`;
}

/** Task queues of a workspace: workflows and light activities; downloads (one polling worker); CPU-bound builds. */
export function taskQueues(workspace: string): { main: string; download: string; build: string } {
  return {
    main: `reachback-${workspace}`,
    download: `reachback-${workspace}-download`,
    build: `reachback-${workspace}-build`,
  };
}

/** `zarr/<store>`: carries no workspace, so that a store has one writer. */
export function zarrWorkflowId(store: string): string {
  return `zarr/${store}`;
}
