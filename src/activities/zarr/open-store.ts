import { fileURLToPath } from 'node:url';
import { DirectoryStore } from '../../formats/zarr/index.ts';
import type { ObjectStore } from '../../formats/zarr/index.ts';
import { S3ObjectStore } from '../../storage/s3/object-store.ts';
import type { S3Settings } from '../../storage/s3/settings.ts';

/**
 * The place of a Zarr store. Touches nothing.
 *
 * @param uri - `file:///dir/reach.zarr` or `s3://bucket/prefix`
 * @throws PipelineError `config_invalid` when it is no place for a store
 */
export function openZarrStore(uri: string, s3: S3Settings): ObjectStore {
  return uri.startsWith('s3://') ? new S3ObjectStore(uri, s3) : new DirectoryStore(fileURLToPath(uri));
}
